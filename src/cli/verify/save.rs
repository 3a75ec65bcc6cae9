//! What `--save` keeps: the adapter, what TRL would log, and a plot.

use std::fmt::Write as _;
use std::path::Path;

use plotters::prelude::*;
use serde_json::json;

use crate::cli::Failure;
use crate::runner::adapter::{part, write as write_whole};
use crate::runner::session::Trained;
use crate::runner::{RunError, StepMetrics};

/// Size of a plot.
const SIZE: (u32, u32) = (800, 480);

/// Pixels of a letter's cell.
const CELL: i32 = 3;

/// Writes everything; the folder is made.
pub(super) fn save(
    folder: &Path,
    trained: &Trained,
    before: Option<&[StepMetrics]>,
    base: &str,
    steps_in_a_pass: f64,
) -> Result<(), Failure> {
    let wrong = |path: &Path, error: &dyn std::fmt::Display| {
        Failure::Message(format!("cannot write {}: {error}", path.display()))
    };
    std::fs::create_dir_all(folder).map_err(|error| wrong(folder, &error))?;
    trained.trainer.save(base, folder).map_err(|error| Failure::Message(error.to_string()))?;
    let path = folder.join("metrics.jsonl");
    let message = |error: RunError| Failure::Message(error.to_string());
    write_whole(&path, metrics(&trained.log, steps_in_a_pass).as_bytes()).map_err(message)?;
    if trained.log.is_empty() {
        return Ok(());
    }
    let path = folder.join("loss.svg");
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
    draw(&area, &trained.log, before).map_err(|error| wrong(&path, &error))?;
    drop(area);
    write_whole(&path, svg.as_bytes()).map_err(message)?;
    let path = folder.join("loss.png");
    let part = part(folder, ".png").map_err(|error| wrong(&path, &error))?;
    let area = BitMapBackend::new(part.path(), SIZE).into_drawing_area();
    draw(&area, &trained.log, before).map_err(|error| wrong(&path, &error))?;
    drop(area);
    part.persist(&path).map_err(|error| wrong(&path, &error.error))?;
    Ok(())
}

/// A line for each step, with the names of TRL.
fn metrics(log: &[StepMetrics], steps_in_a_pass: f64) -> String {
    let mut text = String::new();
    for metrics in log {
        let step = metrics.step + 1;
        #[expect(clippy::cast_precision_loss, reason = "a number of steps")]
        let epoch = step as f64 / steps_in_a_pass;
        let line = json!({
            "step": step,
            "epoch": epoch,
            "loss": metrics.loss,
            "grad_norm": metrics.grad_norm,
            "learning_rate": metrics.learning_rate,
            "rewards/chosen": metrics.rewards_chosen,
            "rewards/rejected": metrics.rewards_rejected,
            "rewards/accuracies": metrics.rewards_accuracies,
            "rewards/margins": metrics.rewards_margins,
            "logps/chosen": metrics.logps_chosen,
            "logps/rejected": metrics.logps_rejected,
        });
        let _ = writeln!(text, "{line}");
    }
    text
}

/// A name, and what is drawn of each step.
type Curve = (&'static str, fn(&StepMetrics) -> f64);

type Area<B> = DrawingArea<B, plotters::coord::Shift>;

/// Two plots: the losses, and the margins of the rewards. Letters are drawn as squares, since there may be no font.
fn draw<B: DrawingBackend>(area: &Area<B>, log: &[StepMetrics], before: Option<&[StepMetrics]>) -> Result<(), String>
where
    B::ErrorType: 'static,
{
    let wrong = |error: DrawingAreaErrorKind<B::ErrorType>| error.to_string();
    area.fill(&WHITE).map_err(wrong)?;
    let halves = area.split_evenly((2, 1));
    let plots: [Curve; 2] = [("loss", |metrics| metrics.loss), ("margin", |metrics| metrics.rewards_margins)];
    for (half, (name, of)) in halves.iter().zip(plots) {
        let lines = [Some(log), before].into_iter().flatten();
        let lines: Vec<Vec<f64>> = lines.map(|log| log.iter().map(of).collect()).collect();
        plot(half, name, &lines).map_err(wrong)?;
    }
    area.present().map_err(wrong)
}

fn plot<B: DrawingBackend>(
    area: &Area<B>,
    name: &str,
    lines: &[Vec<f64>],
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>>
where
    B::ErrorType: 'static,
{
    let all = || lines.iter().flatten().copied();
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    let room = ((high - low) * 0.1).max(1e-6);
    let (low, high) = (low - room, high + room);
    let last = lines.iter().map(Vec::len).max().unwrap_or(1).saturating_sub(1).max(1);
    let mut chart = ChartBuilder::on(area)
        .margin(16)
        .margin_left(96)
        .margin_top(32)
        .margin_bottom(32)
        .build_cartesian_2d(0..last, low..high)?;
    let plane = chart.plotting_area().strip_coord_spec();
    let (width, height) = plane.dim_in_pixel();
    #[expect(clippy::cast_possible_wrap, reason = "pixels of a small picture")]
    let (width, height) = (width as i32, height as i32);
    plane.draw(&Rectangle::new([(0, 0), (width - 1, height - 1)], BLACK))?;
    for (line, color) in lines.iter().zip([BLUE, RED]) {
        chart.draw_series(LineSeries::new(line.iter().copied().enumerate(), color.stroke_width(2)))?;
    }
    write(area, (96, 10), name, BLACK)?;
    if lines.len() > 1 {
        write(area, (300, 10), "after", BLUE)?;
        write(area, (420, 10), "before", RED)?;
    }
    write(area, (4, 34), &format!("{high:.4}"), BLACK)?;
    write(area, (4, 16 + height), &format!("{low:.4}"), BLACK)?;
    write(area, (96, 38 + height), "0", BLACK)?;
    write(area, (60 + width, 38 + height), &last.to_string(), BLACK)
}

/// Writes with letters of three by five squares.
fn write<B: DrawingBackend>(
    area: &Area<B>,
    at: (i32, i32),
    text: &str,
    color: RGBColor,
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>>
where
    B::ErrorType: 'static,
{
    for (place, letter) in (0..).zip(text.chars()) {
        let rows = GLYPHS.iter().find(|(known, _)| *known == letter).map_or([0; 5], |(_, rows)| *rows);
        for (down, row) in (0..).zip(rows) {
            for across in (0..3).filter(|across| row >> (2 - across) & 1 == 1) {
                let corner = (at.0 + (place * 4 + across) * CELL, at.1 + down * CELL);
                let square = [corner, (corner.0 + CELL - 1, corner.1 + CELL - 1)];
                area.draw(&Rectangle::new(square, color.filled()))?;
            }
        }
    }
    Ok(())
}

/// The letters that plots need, a number of three bits for each row.
const GLYPHS: &[(char, [u8; 5])] = &[
    ('0', [7, 5, 5, 5, 7]),
    ('1', [2, 6, 2, 2, 7]),
    ('2', [7, 1, 7, 4, 7]),
    ('3', [7, 1, 7, 1, 7]),
    ('4', [5, 5, 7, 1, 1]),
    ('5', [7, 4, 7, 1, 7]),
    ('6', [7, 4, 7, 5, 7]),
    ('7', [7, 1, 1, 2, 2]),
    ('8', [7, 5, 7, 5, 7]),
    ('9', [7, 5, 7, 1, 7]),
    ('.', [0, 0, 0, 0, 2]),
    ('-', [0, 0, 7, 0, 0]),
    ('a', [0, 7, 1, 7, 7]),
    ('b', [4, 7, 5, 5, 7]),
    ('e', [7, 5, 7, 4, 7]),
    ('f', [3, 2, 7, 2, 2]),
    ('g', [7, 5, 7, 1, 7]),
    ('i', [2, 0, 2, 2, 2]),
    ('l', [6, 2, 2, 2, 7]),
    ('m', [0, 7, 7, 5, 5]),
    ('n', [0, 7, 5, 5, 5]),
    ('o', [0, 7, 5, 5, 7]),
    ('r', [0, 7, 4, 4, 4]),
    ('s', [3, 4, 7, 1, 6]),
    ('t', [2, 7, 2, 2, 3]),
];
