import { describe, expect, it } from 'vitest';
import { applyEnd } from '../../model/apply.ts';
import { events, last, migrations, outcomes, pages, play } from './play.ts';

const twoProcesses = `
  {mmap: a}
  {cpu-write: a}
  {fork: p1}
  {cpu-write: a}
  {open: 0}
  {open: 0, by: p1}
  {migrate-to-dev: "a[0..1]", device: 0}`;

describe('open and close of a device', () => {
  it('evicts the pages of all processes with the last close of any file of that device', () => {
    const played = play(`${twoProcesses}\n{close: 0, by: p1}`);
    expect(pages(played.state)).toBe('ram+ ram+ ram+ ram+');
    expect(migrations(last(played))).toHaveLength(4);
  });

  it('evicts nothing while a child has the file open', () => {
    const steps = `
      {mmap: a}
      {open: 0}
      {migrate-to-dev: "a[0]", device: 0}
      {fork: p1}
      {close: 0}`;
    expect(pages(play(steps).state)).toBe('dev0 - - -');
    expect(pages(play(`${steps}\n{exit: p1}`).state)).toBe('ram - - -');
  });

  it('refuses all work for an mm that is gone', () => {
    const played = play(`
      {mmap: a}
      {open: 0}
      {fork: p1}
      {exit: p0}
      {read: a, device: 0, by: p1}
      {write: a, device: 0, by: p1}
      {migrate-to-dev: a, device: 0, by: p1}
      {migrate-to-sys: a, device: 0, by: p1}
      {snapshot: a, device: 0, by: p1}`);
    expect(outcomes(played).slice(-5)).toEqual(['EFAULT', 'EFAULT', 'EINVAL', 'EINVAL', 'EINVAL']);
  });
});

describe('exit (do_exit)', () => {
  it('frees its own pages before it closes its devices, which evict those of others', () => {
    const played = play(`${twoProcesses}\n{migrate-to-dev: "a[2]", device: 0, by: p1}\n{exit: p1}`);
    expect(events(last(played))).toEqual([
      'set 1 migration write',
      'set 0 migration write',
      'remove 1 present write',
      'remove 0 present write',
    ]);
  });

  it('closes the highest descriptor first (task_work_run)', () => {
    const opens = (first: number, second: number) => `
      {mmap: a}
      {open: 0}
      {open: 1}
      {migrate-to-dev: "a[0]", device: 0}
      {migrate-to-dev: "a[1]", device: 1}
      {fork: p1}
      {open: ${first}, by: p1}
      {open: ${second}, by: p1}`;
    // The child inherited both; it must close them to open files of its own.
    const child = (first: number, second: number) =>
      play(
        opens(first, second)
          .replace(
            `{open: ${first}, by: p1}`,
            `{close: 0, by: p1}\n{close: 1, by: p1}\n{open: ${first}, by: p1}`,
          )
          .concat('\n{exit: p1}'),
      );
    expect(migrations(last(child(0, 1))).map(({ page }) => page)).toEqual([1, 1, 0, 0]);
    expect(migrations(last(child(1, 0))).map(({ page }) => page)).toEqual([0, 0, 1, 1]);
  });

  it('of all processes, in ascending order, is the end of a program', () => {
    const { state } = play(twoProcesses);
    // p0's pages go with p0; p1 has none on the device.
    expect(applyEnd(state)).toEqual([]);
    expect(state.devices[0]!.live.size).toBe(0);
    expect(state.processes).toEqual([null, null]);
  });
});
