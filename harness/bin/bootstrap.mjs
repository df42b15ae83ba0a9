// What `npm start` and `npm test` run on a machine where nothing is installed yet: plain JavaScript without
// dependencies. It installs the npm packages and, through `hmmdiff doctor --install`, the Debian packages.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const hmmdiff = join(root, 'harness/bin/hmmdiff.mjs');
const [task, ...args] = process.argv.slice(2);

// Ctrl-C reaches the child as well, which ends in order; we wait for it.
process.on('SIGINT', () => {});

if (Number(process.versions.node.split('.')[0]) < 20)
  fail(`Node 20 or later is needed, this is ${process.version}`);

// npm writes this file at the end of an install, so that an interrupted one is done again.
const installed = join(root, 'node_modules/.package-lock.json');
if (
  !existsSync(installed) ||
  statSync(installed).mtimeMs < statSync(join(root, 'package-lock.json')).mtimeMs
) {
  process.stderr.write('installing npm packages\n');
  step('npm', ['ci', '--no-audit', '--no-fund']);
}
step(process.execPath, [hmmdiff, 'doctor', '--install', '--quiet']);

if (task === 'test') test();
else step(process.execPath, [hmmdiff, task, ...args]);

/** Everything that CI runs; ends with a line that counts the tests of all parts. */
function test() {
  step('npm', ['run', '--silent', 'check']);
  const folder = mkdtempSync(join(tmpdir(), 'hmmdiff-report-'));
  const counts = { passed: 0, failed: 0, skipped: 0 };
  let status = 0;
  for (const project of ['unit', 'e2e']) {
    if (project === 'e2e') {
      // Here, where its progress is seen, and not under the time limit of a test.
      step(process.execPath, [hmmdiff, 'build']);
      step(process.execPath, [hmmdiff, 'build', '--kernel', 'debian-7.3+offset-mutants', '--arch', 'x86_64']);
    }
    const report = join(folder, `${project}.json`);
    status = run('npm', [
      ...['run', '--silent', `test:${project}`, '--', ...args],
      ...['--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
    ]);
    if (existsSync(report)) {
      const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(report, 'utf8'));
      counts.passed += numPassedTests;
      counts.failed += numFailedTests;
      counts.skipped += numPendingTests;
    }
    if (status !== 0) break;
  }
  rmSync(folder, { recursive: true, force: true });
  process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`);
  process.exit(status);
}

function step(command, commandArgs) {
  const status = run(command, commandArgs);
  if (status !== 0) process.exit(status);
}

/** Runs a command with our terminal and returns its exit status, as a shell would. */
function run(command, commandArgs) {
  const { status, signal, error } = spawnSync(command, commandArgs, { cwd: root, stdio: 'inherit' });
  if (error) fail(`${command} cannot be started: ${error.message}`);
  return signal ? 128 + constants.signals[signal] : status;
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(3);
}
