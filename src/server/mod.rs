//! `dpo-lint server`: the Language Server Protocol over standard input and output.
//!
//! One thread reads messages and answers, another one checks ([`worker`]). A change makes the projects around it due; when the user
//! pauses, the next due project is checked as it stands in the editor. A change that comes meanwhile ends that check: what nobody
//! waits for any more is never shown. Questions about findings wait for the check of their project.

mod actions;
mod answers;
mod client;
mod diagnostics;
mod documents;
mod inform;
mod notebooks;
mod places;
mod position;
mod protocol;
mod readers;
mod session;
mod shown;
mod uri;
mod worker;
mod yaml_place;

use std::io;

use crossbeam_channel::{after, never, select, unbounded};
use lsp_server::{Connection, ErrorCode, Message, Response};

use client::Client;
use session::Session;
pub use worker::Learn;

/// How the editor left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It asked for the end first, as it should.
    Orderly,
    /// It did not.
    Abruptly,
}

/// Serves until the editor leaves.
pub fn run(learn: Learn) -> io::Result<Ended> {
    let (connection, threads) = Connection::stdio();
    let ended = serve(&connection, learn)?;
    // The threads end when nobody holds the other ends.
    drop(connection);
    if ended == Ended::Orderly {
        threads.join()?;
    }
    Ok(ended)
}

fn serve(connection: &Connection, learn: Learn) -> io::Result<Ended> {
    let Some(client) = initialize(connection) else { return Ok(Ended::Abruptly) };
    let folder = std::env::current_dir()?;
    let (task_sender, tasks) = unbounded();
    let (done_sender, done) = unbounded();
    let own = folder.clone();
    std::thread::Builder::new()
        .name("check".to_owned())
        .spawn(move || worker::work(&tasks, &done_sender, own, learn))?;
    let mut session = Session::new(client, folder, connection.sender.clone(), task_sender);
    loop {
        let due = session.due_in().map_or_else(never, after);
        select! {
            recv(connection.receiver) -> message => {
                let Ok(message) = message else { return Ok(session.ended()) };
                if let Message::Notification(notification) = &message && notification.method == "exit" {
                    return Ok(session.ended());
                }
                session.message(message);
            }
            recv(done) -> outcome => {
                let Ok(outcome) = outcome else { return Err(io::Error::other("the checking thread ended")) };
                session.done(outcome);
            }
            recv(due) -> _ => session.start(),
        }
    }
}

/// The handshake; `None` if the editor leaves before.
fn initialize(connection: &Connection) -> Option<Client> {
    for message in &connection.receiver {
        match message {
            Message::Request(request) if request.method == "initialize" => {
                let client = Client::new(&request.params);
                let answer = Response::new_ok(request.id, client.capabilities());
                connection.sender.send(answer.into()).ok()?;
                return Some(client);
            }
            Message::Request(request) => {
                let code = ErrorCode::ServerNotInitialized as i32;
                let answer = Response::new_err(request.id, code, "`initialize` comes first".to_owned());
                connection.sender.send(answer.into()).ok()?;
            }
            Message::Notification(notification) if notification.method == "exit" => return None,
            Message::Notification(_) | Message::Response(_) => {}
        }
    }
    None
}
