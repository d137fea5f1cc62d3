// Bundles the sources into the files that the Python package carries, or the tests into `.tests/`.
//
//   node build.mjs           writes the bundles into the package
//   node build.mjs --check   fails if the bundles in the package are not those that the sources make
//   node build.mjs --tests   bundles the tests for node's test runner

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const source = (...names) => join(here, "src", ...names);
const packaged = (...names) => join(here, "../src/pianoroll_seq2seq", ...names);
const shared = {
  absWorkingDir: here, // paths in comments do not depend on the caller's folder
  bundle: true,
  target: "es2022",
  charset: "utf8",
  legalComments: "inline",
  logLevel: "warning",
};
const banner = { js: "// Made by `npm run build` in web/, from the TypeScript there. Change it there." };

// The names that pages use after they have loaded the player's bundle.
const PLAYER_NAMES = ["Player", "RollView", "mountPlayer"];

const BUNDLES = [
  {
    entryPoints: [source("shared", "index.ts")],
    outfile: packaged("display", "html", "pianoroll.js"),
    format: "iife",
    globalName: "pianoroll",
    minify: true, // it is in every report and notebook
    footer: { js: `var { ${PLAYER_NAMES.join(", ")} } = pianoroll;` },
  },
  {
    entryPoints: [source("studio", "main.ts")],
    outfile: packaged("studio", "studio.js"),
    format: "iife",
    minifyWhitespace: true, // the sources are in web/, the names stay for errors in the browser's console
  },
];

/** The text of each bundle, with its path in the package. */
async function bundles() {
  const made = [];
  for (const bundle of BUNDLES.filter(({ entryPoints: [entry] }) => existsSync(entry))) {
    const { outputFiles } = await build({ ...shared, ...bundle, banner, write: false });
    made.push(...outputFiles.map(({ path, text }) => ({ path, text })));
  }
  return made;
}

async function check() {
  const isCommitted = ({ path, text }) => existsSync(path) && readFileSync(path, "utf8") === text;
  const different = (await bundles()).filter((bundle) => !isCommitted(bundle));
  for (const { path } of different) {
    const name = relative(join(here, ".."), path);
    console.error(`${name} is not what web/src makes: run \`npm run build\` in web/ and commit.`);
  }
  process.exitCode = different.length ? 1 : 0;
}

async function tests() {
  const folder = join(here, ".tests");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const names = readdirSync(join(here, "tests")).filter((name) => name.endsWith(".test.ts"));
  await build({
    ...shared,
    entryPoints: names.map((name) => join(here, "tests", name)),
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    format: "esm",
    platform: "node",
    sourcemap: "inline",
  });
}

if (process.argv.includes("--tests")) await tests();
else if (process.argv.includes("--check")) await check();
else for (const { path, text } of await bundles()) writeFileSync(path, text);
