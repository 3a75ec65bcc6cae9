// Starts `dpo-lint server` and lets the language client do the rest.

const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

const SECTION = "dpo-lint";

// Files that take part in a project; the server leaves alone what it does not read.
const LANGUAGES = ["python", "yaml", "json", "jsonc", "toml", "ini", "shellscript", "dockerfile", "makefile", "pip-requirements"];
const PATTERNS = ["**/*.ipynb", "**/*requirements*.{txt,in}", "**/Pipfile"];

let client;

async function start() {
  const settings = vscode.workspace.getConfiguration(SECTION);
  const file = (selector) => ({ scheme: "file", ...selector });
  client = new LanguageClient(
    SECTION,
    "dpo-lint",
    { command: settings.get("path"), args: ["server"] },
    {
      documentSelector: [
        ...LANGUAGES.map((language) => file({ language })),
        ...PATTERNS.map((pattern) => file({ pattern })),
        // Cells of notebooks; the client sends them as the server asks for it.
        { scheme: "vscode-notebook-cell", pattern: "**/*.ipynb" },
      ],
      initializationOptions: settings,
      synchronize: { configurationSection: SECTION },
    },
  );
  try {
    await client.start();
  } catch (error) {
    const install = "Is dpo-lint installed? The setting `dpo-lint.path` says where.";
    vscode.window.showErrorMessage(`dpo-lint does not start: ${error.message}. ${install}`);
  }
}

async function stop() {
  const running = client;
  client = undefined;
  await running?.stop();
}

exports.activate = async (context) => {
  const restart = async () => {
    await stop();
    await start();
  };
  context.subscriptions.push(vscode.commands.registerCommand("dpo-lint.restart", restart));
  await start();
};

exports.deactivate = stop;
