/** A count for people. */
export function number(value: number): string {
  return value.toLocaleString('en-US');
}
