const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (value: number): string => String(value).padStart(2, "0");

/** Texts of the last second asked for: a busy log writes many lines in one. */
const oncePerSecond = (format: (date: Date) => string): ((ms: number) => string) => {
  let known = Number.NaN;
  let text = "";
  return (ms) => {
    const second = Math.floor(ms / 1000);
    if (second !== known) {
      known = second;
      text = format(new Date(second * 1000));
    }
    return text;
  };
};

/** As in the combined format: `21/Nov/2026:17:51:17 +0000`. */
export const localTime: (ms: number) => string = oncePerSecond((date) => {
  const day = `${two(date.getDate())}/${months[date.getMonth()]}/${date.getFullYear()}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  const offset = -date.getTimezoneOffset();
  const zone = `${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`;
  return `${day}:${time} ${offset < 0 ? "-" : "+"}${zone}`;
});

/** UTC, to the second. */
export const isoTime: (ms: number) => string = oncePerSecond(
  (date) => `${date.toISOString().slice(0, 19)}+00:00`,
);
