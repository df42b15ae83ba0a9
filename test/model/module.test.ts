import { expect, it } from 'vitest';
import { outcomes, pages, play, pte } from './play.ts';

it('is not unloaded while a device is open, nor while an inherited descriptor is: try_stop_module()', () => {
  const played = play(`
    {open: 1}
    {fork: p1}
    {close: 1}
    {reload: p0}
    {exit: p1}
    {reload: p0}`);
  expect(outcomes(played).slice(3)).toEqual(['EAGAIN', 'success', 'success']);
});

it('has devices hand out the last page of their first chunk anew: dmirror_allocate_chunk()', () => {
  const { state } = play(`
    {mmap: a}
    {open: 0}
    {migrate-to-dev: "a[0..1]", device: 0}
    {release: a, device: 0}
    {close: 0}
    {reload: p0}
    {open: 0}
    {migrate-to-dev: "a[2]", device: 0}`);
  expect(pages(state)).toBe('ram+ ram+ dev0+ -');
  expect(pte(state, 0, 2)!.frame).toMatchObject({ position: 65535, positionKnown: true, isOfLoad: true });
});

it('is another chunk after RELEASE than the one of the load', () => {
  const { state } = play(`
    {mmap: a}
    {reload: p0}
    {open: 0}
    {release: a, device: 0}
    {migrate-to-dev: "a[0]", device: 0}`);
  expect(pte(state, 0, 0)!.frame).toMatchObject({ position: 65535, isOfLoad: false });
});
