import { describe, expect, it } from 'vitest';
import { Calibration } from '../../qemu/calibration.ts';

describe('Calibration', () => {
  it('allows for a slow host until a guest has booted', () => {
    expect(new Calibration().factor('x86_64', 'tcg')).toBe(4);
  });

  it('allows a kernel that checks itself more, until one has booted', () => {
    const calibration = new Calibration();
    expect(calibration.factor('aarch64', 'tcg', 4)).toBe(16);
    calibration.observeBoot('aarch64', 'tcg', 9000);
    expect(calibration.factor('aarch64', 'tcg', 4)).toBe(10);
  });

  it('scales limits by the slowest boot', () => {
    const calibration = new Calibration();
    calibration.observeBoot('x86_64', 'tcg', 3900);
    expect(calibration.scale('x86_64', 'tcg', 1000)).toBe(3000);
    calibration.observeBoot('x86_64', 'tcg', 1300);
    expect(calibration.scale('x86_64', 'tcg', 1000)).toBe(3000);
  });

  it('shortens no limit on a fast host', () => {
    const calibration = new Calibration();
    calibration.observeBoot('aarch64', 'kvm', 100);
    expect(calibration.factor('aarch64', 'kvm')).toBe(1);
  });

  it('keeps architectures and accelerators apart', () => {
    const calibration = new Calibration();
    calibration.observeBoot('x86_64', 'tcg', 1300);
    expect(calibration.factor('aarch64', 'tcg')).toBe(4);
  });
});
