#!/usr/bin/env bash
# Starts a real Neovim, headless, with the lines of docs/editors.md as its only configuration, and uses what they bring on a scratch
# project: findings, hover, completion, a quick fix, all safe fixes.
#
#     tests/neovim.sh PROGRAM [NVIM]        # target/debug/dpo-lint, nvim
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
program=$(realpath "$1")
nvim=$(command -v "${2:-nvim}")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/bin" "$scratch/config/nvim" "$scratch/project/.git"
ln -s "$program" "$scratch/bin/dpo-lint"
echo "trl==0.16.0" > "$scratch/project/requirements.txt"
cat > "$scratch/project/train.py" << 'EOF'
from trl import DPOConfig, DPOTrainer

args = DPOConfig(output_dir="out", loss_type="sigmoid")
trainer = DPOTrainer("模𝄞型", args=args, tokenizer=tok)
other = DPOTrainer("model", no_such=1)
EOF
cat > "$scratch/use.lua" << 'EOF'
local function fail(...)
  print("FAILED: " .. table.concat({ ... }, " ") .. "\n")
  vim.cmd("cquit")
end
local function wait(what, is_there)
  if not vim.wait(60000, is_there, 50) then fail(what) end
  print("ok: " .. what .. "\n")
end
local function codes()
  local found = {}
  for _, one in ipairs(vim.diagnostic.get(0)) do
    -- What is marked, by the editor's own columns.
    local text = vim.api.nvim_buf_get_text(0, one.lnum, one.col, one.end_lnum, one.end_col, {})[1]
    found[#found + 1] = one.code .. " " .. text
  end
  return table.concat(found, "; ")
end
local function line(number)
  return vim.api.nvim_buf_get_lines(0, number - 1, number, false)[1]
end
local function ask(method)
  local client = (vim.lsp.get_clients or vim.lsp.get_active_clients)({ bufnr = 0 })[1]
  local place = vim.lsp.util.make_position_params(0, client.offset_encoding)
  for _, answer in pairs(vim.lsp.buf_request_sync(0, method, place, 60000) or {}) do
    return answer.result or fail(method, vim.inspect(answer.error or answer.err))
  end
  fail(method, "is not answered")
end

vim.opt.swapfile = false
vim.cmd("edit train.py")
local both = "renamed-argument tokenizer=tok; unknown-argument no_such=1"
wait("two findings", function() return codes() == both end)

vim.api.nvim_win_set_cursor(0, { 3, 38 })
local hover = ask("textDocument/hover").contents.value
if not hover:find("of `DPOConfig`", 1, true) then fail("hover", hover) end
print("ok: hover\n")

vim.api.nvim_buf_set_lines(0, 2, 3, false, { 'args = DPOConfig(output_dir="out", loss_type="")' })
vim.api.nvim_win_set_cursor(0, { 3, 46 })
local labels = {}
for _, item in ipairs(ask("textDocument/completion").items) do labels[item.label] = true end
if not (labels.sigmoid and labels.ipo) then fail("completion", vim.inspect(labels)) end
print("ok: completion\n")
vim.cmd("undo")

vim.api.nvim_win_set_cursor(0, { 4, (line(4):find("tokenizer")) })
vim.lsp.buf.code_action({ apply = true, filter = function(action) return action.isPreferred end })
local fixed = 'trainer = DPOTrainer("模𝄞型", args=args, processing_class=tok)'
wait("a quick fix", function() return line(4) == fixed end)
wait("one finding less", function() return codes() == "unknown-argument no_such=1" end)

vim.cmd("undo")
wait("two findings again", function() return codes() == both end)
vim.lsp.buf.code_action({ context = { only = { "source.fixAll.dpo-lint" }, diagnostics = {} }, apply = true })
wait("all safe fixes", function() return line(4) == fixed end)
vim.cmd("qall!")
EOF

# The first Lua block behind a line of the documentation.
block() { awk -v after="$1" '$0 == after { near = 1 } near && /^```$/ { exit } inside { print } near && /^```lua$/ { inside = 1 }' "$root/docs/editors.md"; }
version=$("$nvim" --version | head -n 1)
for after in "0.11 and newer:" "0.8 to 0.10:"; do
    if [ "$after" = "0.11 and newer:" ] && [[ $version =~ v0\.[0-9]\.|v0\.10\. ]]; then continue; fi
    echo "== $version, \"$after\""
    block "$after" > "$scratch/config/nvim/init.lua"
    [ -s "$scratch/config/nvim/init.lua" ] || { echo "docs/editors.md has no such lines" >&2; exit 1; }
    (cd "$scratch/project" && env PATH="$scratch/bin:$PATH" DPO_LINT_CACHE="$scratch/none" XDG_CONFIG_HOME="$scratch/config" \
        XDG_DATA_HOME="$scratch/data" XDG_STATE_HOME="$scratch/state" XDG_CACHE_HOME="$scratch/cache" \
        timeout 120 "$nvim" --headless -c "luafile $scratch/use.lua" -c cquit)
    echo
done
