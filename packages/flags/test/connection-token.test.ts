import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseConnectionToken, parseSecret } from "../src/index.ts";

const secret = "gpnOV3wI3kKAO9q9viC0wQWdKZrVAf2U6gAnxl4lSH3w";
const encode = (number: number, width: number): string =>
  [...String(number).padStart(width, "0")].map((digit) => "QBWSPHDXZU"[Number(digit)]).join("");
const tokenOf = (time: string, position: number): string =>
  encode(position, 3) + encode(time.length, 2) + secret.slice(0, position) + time + secret.slice(position);

describe("a connection token", () => {
  it("gives back what was put in, wherever the time was put", () => {
    const times = fc.integer({ min: 0, max: 9_999_999_999_999 });
    fc.assert(
      fc.property(times, fc.integer({ min: 0, max: 44 }), (timestamp, position) => {
        const time = encode(timestamp, 13);
        const wanted = { position, contentLength: 13, timestamp, secret };
        expect(parseConnectionToken(tokenOf(time, position))).toEqual(wanted);
      }),
    );
  });

  it("may lack the padding of its secret", () => {
    const short = secret.slice(0, 43);
    expect(parseConnectionToken(`QQQQB${encode(7, 1)}${short}`)).toEqual({
      position: 0,
      contentLength: 1,
      timestamp: 7,
      secret: `${short}=`,
    });
  });

  it("takes blank digits for 0", () => {
    expect(parseConnectionToken(`     ${secret}`)).toEqual({
      position: 0,
      contentLength: 0,
      timestamp: 0,
      secret,
    });
  });

  it.each([
    ["", "shorter"],
    ["4chs", "shorter"],
    ["5chars", "position"],
    [`WHD${encode(13, 2)}${"Q".repeat(400)}`, "position"],
    [`QQQxx${secret}`, "length"],
    ["QDUBHYWVkLWNiZT", "too short"],
    [tokenOf("QQQQQQQxQQQQQ", 5), "time"],
    [tokenOf("U".repeat(40), 5), "time"],
    [`QQQQB${"Q".repeat(45)}Q`, "secret"],
    [`QQQQBQ${secret.slice(0, 40)}`, "secret"],
  ])("%j is refused for its %s", (token, reason) => {
    expect(() => parseConnectionToken(token)).toThrow(
      expect.objectContaining({ code: "FLAG_TOKEN_INVALID", message: expect.stringContaining(reason) }),
    );
  });

  it("of any text is taken apart or refused with its code", () => {
    const any = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.string({ unit: fc.constantFrom(..."QBWSPHDXZU a") }),
    );
    fc.assert(
      fc.property(any, (token) => {
        try {
          expect(parseConnectionToken(token).secret).toHaveLength(44);
        } catch (error) {
          expect(error).toMatchObject({ code: "FLAG_TOKEN_INVALID" });
        }
      }),
    );
  });
});

describe("a secret", () => {
  it("names its environment in .NET's order of bytes", () => {
    expect(parseSecret(secret)).toEqual({ envId: "ad99d259-1f50-4ed9-a002-7c65e25487df" });
    expect(parseSecret("v3faJy3RCUO8d-EJiVdN6waRfGjfNan02Ms9c0LiTD6w").envId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it.each(["", secret.slice(1), `${secret}=`, `${secret.slice(0, 43)}=`, `${secret.slice(0, 43)}é`])(
    "%j is refused",
    (text) =>
      expect(() => parseSecret(text)).toThrow(expect.objectContaining({ code: "FLAG_SECRET_INVALID" })),
  );
});
