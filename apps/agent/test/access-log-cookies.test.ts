import { expect, it } from "vitest";
import { variable } from "../src/http/access-log/variables.ts";

it("several lines of Cookie are one list, as in nginx", () => {
  const request = { rawHeaders: ["Cookie", "a=1", "X-A", "1", "cookie", "b=2", "X-A", "2"] } as never;
  expect(variable("http_cookie")?.({} as never, request)).toBe("a=1; b=2");
  expect(variable("http_x_a")?.({} as never, request)).toBe("1, 2");
});
