import { describe, expect, it } from "vitest";
import { createErrorCatalogue, isPosthouseError } from "../src/index.ts";

const catalogue = createErrorCatalogue({
  PORT_IN_USE: { message: "port {port} is in use", hint: "choose another than {port}" },
  PLAIN: { message: "nothing to fill in but {unknown}" },
});

describe("an error catalogue", () => {
  it("fills values into message and hint, and keeps the cause", () => {
    const cause = new Error("why");
    const error = catalogue.create("PORT_IN_USE", { port: 80 }, { cause });
    expect(error).toMatchObject({
      code: "PORT_IN_USE",
      message: "port 80 is in use",
      hint: "choose another than 80",
      cause,
    });
    expect(isPosthouseError(error)).toBe(true);
  });

  it("takes a hint for this one error, and leaves what it has no value for", () => {
    expect(catalogue.create("PLAIN", {}, { hint: "look there" })).toMatchObject({
      message: "nothing to fill in but {unknown}",
      hint: "look there",
    });
    expect(catalogue.create("PLAIN").hint).toBeUndefined();
  });

  it("is not mistaken for another error", () => {
    expect(isPosthouseError(Object.assign(new Error("x"), { code: "ENOENT" }))).toBe(false);
    expect(isPosthouseError({ name: "PosthouseError", code: "X" })).toBe(false);
  });
});
