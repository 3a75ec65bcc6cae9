"""Drives `dpo-lint server` with a client that is not ours: pygls (pip install pygls).

    python tests/editor.py target/release/dpo-lint

opens a text that is not saved in a scratch project, and shows what comes back.
"""

import asyncio
import pathlib
import sys
import tempfile

from lsprotocol import types
from pygls.lsp.client import LanguageClient

SCRIPT = """\
from trl import DPOConfig, DPOTrainer

args = DPOConfig(output_dir="out", loss_type="")
trainer = DPOTrainer("模𝄞型", args=args, tokenizer=tok)
"""


async def main(program: str, folder: pathlib.Path) -> None:
    (folder / ".git").mkdir()
    (folder / "requirements.txt").write_text("trl==0.16.0\n")
    client = LanguageClient("editor.py", "1")
    published: asyncio.Queue = asyncio.Queue()
    client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(lambda params: published.put_nowait(params))
    client.feature(types.CLIENT_REGISTER_CAPABILITY)(lambda params: None)
    await client.start_io(program, "server")
    capabilities = types.ClientCapabilities(
        workspace=types.WorkspaceClientCapabilities(
            did_change_watched_files=types.DidChangeWatchedFilesClientCapabilities(dynamic_registration=True),
            workspace_edit=types.WorkspaceEditClientCapabilities(document_changes=True),
        ),
        text_document=types.TextDocumentClientCapabilities(
            publish_diagnostics=types.PublishDiagnosticsClientCapabilities(related_information=True),
            code_action=types.CodeActionClientCapabilities(
                resolve_support=types.ClientCodeActionResolveOptions(properties=["edit"])
            ),
        ),
    )
    answer = await client.initialize_async(
        types.InitializeParams(capabilities=capabilities, root_uri=folder.as_uri())
    )
    print("positions:", answer.capabilities.position_encoding)
    client.initialized(types.InitializedParams())
    uri = (folder / "train.py").as_uri()
    client.text_document_did_open(
        types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, "python", 1, SCRIPT))
    )
    found = await asyncio.wait_for(published.get(), 60)
    for one in found.diagnostics:
        print("finding:", one.range, one.code, one.message.splitlines()[0])
        assert one.related_information[0].location.uri.endswith("requirements.txt")
    document = types.TextDocumentIdentifier(uri)
    place = found.diagnostics[0].range
    actions = await client.text_document_code_action_async(
        types.CodeActionParams(document, place, types.CodeActionContext(diagnostics=found.diagnostics))
    )
    for action in actions:
        if action.edit is None:
            action = await client.code_action_resolve_async(action)
        edit = action.edit.document_changes[0].edits[0]
        print("action:", action.title, "->", repr(edit.new_text))
    hover = await client.text_document_hover_async(types.HoverParams(document, place.start))
    print("hover:", hover.contents.value.splitlines()[0])
    items = await client.text_document_completion_async(types.CompletionParams(document, types.Position(2, 46)))
    print("completion:", [item.label for item in items.items])
    await client.shutdown_async(None)
    client.exit(None)
    await client.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(main(sys.argv[1], pathlib.Path(scratch).resolve()))
