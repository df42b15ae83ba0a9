// What `npm start` and `npm test` run on a machine where nothing is installed yet: plain JavaScript without
// dependencies. It installs the npm packages and, through `hmmdiff doctor --install`, the Debian packages.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const hmmdiff = join(root, 'harness/bin/hmmdiff.mjs');
const [task, ...args] = process.argv.slice(2);

if (Number(process.versions.node.split('.')[0]) < 20)
  fail(`Node 20 or later is needed, this is ${process.version}`);

// npm writes this file at the end of an install, so that an interrupted one is done again.
const installed = join(root, 'node_modules/.package-lock.json');
if (
  !existsSync(installed) ||
  statSync(installed).mtimeMs < statSync(join(root, 'package-lock.json')).mtimeMs
) {
  step('npm', ['ci', '--no-audit', '--no-fund'], 'installing npm packages');
}

if (task === 'test') {
  step('npm', ['run', '--silent', 'check']);
  step('npm', ['run', '--silent', 'test:unit']);
  step(process.execPath, [hmmdiff, 'doctor', '--install', '--quiet']);
  step('npm', ['run', '--silent', 'test:e2e', '--', ...args]);
} else {
  step(process.execPath, [hmmdiff, 'doctor', '--install', '--quiet']);
  step(process.execPath, [hmmdiff, task, ...args]);
}

function step(command, commandArgs, title) {
  if (title) process.stderr.write(`${title}\n`);
  // Ctrl-C reaches the child as well, which ends in order; we wait for it.
  process.on('SIGINT', () => {});
  const { status, signal, error } = spawnSync(command, commandArgs, { cwd: root, stdio: 'inherit' });
  if (error) fail(`${command} cannot be started: ${error.message}`);
  if (signal) process.exit(128 + constants.signals[signal]);
  if (status !== 0) process.exit(status);
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(3);
}
