import { expect, test } from "vitest";
import { writeJson, writeTime } from "../../src/featbit/dotnet-json.ts";
import {
  createRelayKey,
  createSecret,
  decodeGuid,
  encodeGuid,
  environmentOf,
} from "../../src/featbit/secrets.ts";
import { decodeToken, encodeToken } from "../../src/featbit/token.ts";

test("a secret tells its environment, in .NET's order of bytes", () => {
  const envId = "ad99d259-1f50-4ed9-a002-7c65e25487df";
  expect(environmentOf("gpnOV3wI3kKAO9q9viC0wQWdKZrVAf2U6gAnxl4lSH3w")).toBe(envId);
  expect(decodeGuid(encodeGuid(envId))).toBe(envId);
  expect(environmentOf(createSecret(envId))).toBe(envId);
  for (const wrong of ["", "x".repeat(43), `${"!".repeat(22)}WdKZrVAf2U6gAnxl4lSH3w`]) {
    expect(environmentOf(wrong)).toBeUndefined();
  }
});

test("a token holds secret and time", () => {
  const token = "QWSBHgpnOV3wI3kKAO9q9viC0wQWQQBDDDQBZWPXDQSdKZrVAf2U6gAnxl4lSH3w";
  const secret = "gpnOV3wI3kKAO9q9viC0wQWdKZrVAf2U6gAnxl4lSH3w";
  expect(decodeToken(token)).toEqual({ secret, timeMs: 1666018247603 });
  for (const at of [2, 22, 43]) {
    expect(decodeToken(encodeToken(secret, 1795223857498, at))).toEqual({ secret, timeMs: 1795223857498 });
  }
  expect(encodeToken(secret, 1666018247603, 23)).toBe(token.replace("BH", "BS").replace("QQB", "B"));
});

test.each(["", "QQQ", "XXXXX", "QWSBSshort", "ABCDEgpnOV3wI3kKAO9q9viC0wQ", "WHXBS"])(
  "no token: %s",
  (token) => {
    expect(decodeToken(token)).toBeUndefined();
  },
);

test("a relay key has 43 characters", () => {
  expect(createRelayKey()).toMatch(/^rp-[A-Za-z0-9_-]{40}$/);
  expect(createRelayKey()).not.toBe(createRelayKey());
});

test("JSON and times are written as .NET writes them", () => {
  const value = { a: "<b> & 'c' + `d`", e: 'q"uote\\', é: "😀\n" };
  const text = writeJson(value);
  expect(JSON.parse(text)).toEqual(value);
  expect(text).toBe(
    String.raw`{"a":"\u003Cb\u003E \u0026 \u0027c\u0027 \u002B \u0060d\u0060","e":"q\u0022uote\\","\u00E9":"\uD83D\uDE00\n"}`,
  );
  expect(writeTime(1740824430456)).toBe("2025-03-01T10:20:30.456Z");
  expect(writeTime(1740824430000)).toBe("2025-03-01T10:20:30Z");
  expect(writeTime(1740824430456, 70)).toBe("2025-03-01T10:20:30.456007Z");
});
