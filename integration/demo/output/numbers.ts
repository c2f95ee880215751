/** `1,234` */
export function grouped(count: number): string {
  return count.toLocaleString("en-US");
}

/** `4.2 s` */
export function inSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
