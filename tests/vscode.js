// Uses the extension in a real VS Code, which runs in a browser: code-server with the extension installed, driven by playwright-core.
//
//     node tests/vscode.js URL FOLDER CHROMIUM [PICTURE]
//
// URL is where code-server listens, FOLDER an empty folder that it can open; editors/vscode/README.md has the commands that start it.

const fs = require("fs");
const path = require("path");
const { chromium } = require("playwright-core");

const [url, folder, executablePath, picture] = process.argv.slice(2);
const SCRIPT = `from trl import DPOConfig, DPOTrainer

args = DPOConfig(output_dir="out", loss_type="sigmoid")
trainer = DPOTrainer("模𝄞型", args=args, tokenizer=tok)
other = DPOTrainer("model", no_such=1)
`;
const code = (source) => ({ cell_type: "code", execution_count: null, metadata: {}, outputs: [], source });
const NOTEBOOK = {
  cells: [
    code("from trl import DPOConfig, DPOTrainer\n!pip install -q wandb"),
    { cell_type: "markdown", metadata: {}, source: "# Training" },
    code("%%bash\nls"),
    code('args = DPOConfig(output_dir="out")\ntrainer = DPOTrainer("模𝄞型", args=args, tokenizer=tok)'),
  ],
  metadata: { kernelspec: { display_name: "Python 3", language: "python", name: "python3" } },
  nbformat: 4,
  nbformat_minor: 5,
};

let page;

function check(what, is) {
  console.log(`${is ? "ok" : "FAILED"}: ${what}`);
  if (!is) throw new Error(what);
}

/** Waits until something holds. */
async function until(what, holds) {
  const end = Date.now() + 60000;
  while (Date.now() < end) {
    if (await holds()) return check(what, true);
    await page.waitForTimeout(200);
  }
  check(what, false);
}

const squiggles = () => page.locator(".squiggly-error").count();
// Lines are drawn with no-break spaces.
const text = async () => (await page.locator(".view-line").allInnerTexts()).join("\n").replaceAll("\u00a0", " ");
const shows = async (what) => (await text()).includes(what);

async function open(name) {
  await page.keyboard.press("Control+P");
  await page.waitForTimeout(1000);
  await page.keyboard.type(name);
  await page.waitForTimeout(1500);
  await page.keyboard.press("Enter");
}

/** Puts the cursor into a word on the page. */
async function into(word) {
  await page.locator(".view-line span", { hasText: new RegExp(`^${word}$`) }).first().click();
}

/** Applies the preferred fix at the cursor. */
async function fix() {
  await page.keyboard.press("Control+.");
  await page.locator(".action-widget").waitFor();
  await page.waitForTimeout(500);
  const offered = await page.locator(".action-widget .monaco-list-row").allInnerTexts();
  check("the fix, and the comment that ignores the finding", offered.some((one) => one.includes("Rename `tokenizer`"))
    && offered.some((one) => one.includes("Ignore `renamed-argument`")));
  await page.keyboard.press("Enter");
}

async function script() {
  await open("train.py");
  await until("two findings in the script", async () => (await squiggles()) === 2);
  await page.locator(".view-line span", { hasText: /^loss_type$/ }).first().hover();
  await until("hover", async () => (await page.locator(".monaco-hover").allInnerTexts()).join().includes("of DPOConfig"));
  await page.keyboard.press("Escape");
  await into("tokenizer");
  await fix();
  await until("the fix in the script", () => shows("args=args, processing_class=tok)"));
  await until("one finding less", async () => (await squiggles()) === 1);
  await page.keyboard.press("Control+End");
  await page.keyboard.type('DPOConfig(loss_type="');
  await page.keyboard.press("Control+Space");
  const offered = async () => (await page.locator(".suggest-widget .monaco-list-row").allInnerTexts()).join();
  await until("completion", async () => (await offered()).includes("apo_zero"));
  await page.keyboard.press("Escape");
}

async function notebook() {
  await open("train.ipynb");
  await until("a finding in the notebook", async () => (await squiggles()) === 1 && (await shows("%%bash")));
  await into("tokenizer");
  await fix();
  await until("the fix in the cell", () => shows("args=args, processing_class=tok)"));
  await until("no finding", async () => (await squiggles()) === 0);
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");
  await page.keyboard.type('DPOTrainer("m", no_such=1');
  await until("a finding while it is written", async () => (await squiggles()) === 1);
  if (picture) await page.screenshot({ path: picture });
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");
  await page.keyboard.type('DPOTrainer("s", tokenizer=1');
  await until("another one", async () => (await squiggles()) === 2);
  await page.keyboard.press("Control+S");
  await until("all safe fixes of a notebook that is saved", () => shows('DPOTrainer("s", processing_class=1)'));
  await page.keyboard.press("Control+End");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  for (let above = 0; above < 3; above++) {
    await page.keyboard.press("Alt+ArrowUp");
    await page.waitForTimeout(300);
  }
  await until("no finding above the import", async () => (await squiggles()) === 0 && (await shows("no_such=1")));
  await page.keyboard.press("Alt+ArrowDown");
  await until("the finding again below it", async () => (await squiggles()) === 1);
}

async function main() {
  fs.mkdirSync(path.join(folder, ".git"), { recursive: true });
  fs.writeFileSync(path.join(folder, "requirements.txt"), "trl==0.16.0\n");
  fs.writeFileSync(path.join(folder, "train.py"), SCRIPT);
  fs.writeFileSync(path.join(folder, "train.ipynb"), JSON.stringify(NOTEBOOK));
  fs.mkdirSync(path.join(folder, ".vscode"), { recursive: true });
  const onSave = { "notebook.codeActionsOnSave": { "notebook.source.fixAll.dpo-lint": "explicit" } };
  fs.writeFileSync(path.join(folder, ".vscode/settings.json"), JSON.stringify(onSave));
  const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-first-run"];
  const browser = await chromium.launch({ executablePath, args });
  try {
    page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
    await page.goto(`${url}/?folder=${encodeURIComponent(path.resolve(folder))}`);
    await page.locator(".explorer-folders-view").waitFor({ timeout: 90000 });
    await page.waitForTimeout(3000);
    await script();
    await notebook();
  } catch (error) {
    await page?.screenshot({ path: picture || "vscode-failed.png" });
    throw error;
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
