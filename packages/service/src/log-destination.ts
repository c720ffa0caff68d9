/** Where lines go. `isTTY` decides over colours. */
export interface LogDestination {
  write(line: string): unknown;
  readonly isTTY?: boolean;
}
