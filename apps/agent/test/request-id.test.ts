import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { requestId } from "../src/http/request-id.ts";

const anyText = fc.string({ unit: fc.nat(0x2ff).map((code) => String.fromCharCode(code)) });

const uuid = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

describe("the request id", () => {
  it.each(["a", "0b8e63c8-5d6c-4b51-94b7-d7bb2a7b0e6e", "req.1~2|3", "x".repeat(128)])(
    "%s of a trusted proxy is passed on",
    (id) => {
      expect(requestId(id, true)).toBe(id);
      expect(requestId(id, false)).toMatch(uuid);
    },
  );

  it.each([undefined, "", " a", "a b", "a,b", "a\r\nX: y", "a\n", 'a"', "é", "x".repeat(129)])(
    "%j is replaced by a new one",
    (id) => {
      expect(requestId(id, true)).toMatch(uuid);
    },
  );

  it("is another one each time", () => {
    expect(requestId(undefined, false)).not.toBe(requestId(undefined, false));
  });

  it("is a token whatever is sent", () => {
    fc.assert(
      fc.property(anyText, fc.boolean(), (id, trusted) => {
        expect(requestId(id, trusted)).toMatch(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/);
      }),
    );
  });
});
