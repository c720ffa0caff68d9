import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseFlagUser } from "../src/index.ts";

describe("a user", () => {
  it("is read as an SDK sends it", () => {
    const customizedProperties = [
      { name: "age", value: "36" },
      { name: "age", value: "37" },
      { name: "none", value: null },
      { name: "absent" },
      { value: "no name" },
    ];
    expect(parseFlagUser({ keyId: "u1", name: "Ann", customizedProperties })).toEqual({
      keyId: "u1",
      name: "Ann",
      properties: new Map([
        ["age", "36"],
        ["none", ""],
        ["absent", ""],
      ]),
    });
  });

  it("may have no name and no properties, and fields in any case", () => {
    const wanted = { keyId: "u1", name: null, properties: new Map() };
    expect(parseFlagUser({ keyId: "u1" })).toEqual(wanted);
    expect(parseFlagUser({ KEYID: "u1", Name: null, CustomizedProperties: null, more: 1 })).toEqual(wanted);
    expect(
      parseFlagUser({ keyid: "u1", customizedproperties: [{ NAME: "a", Value: "1" }] }).properties,
    ).toEqual(new Map([["a", "1"]]));
  });

  it.each([
    [undefined, "the whole"],
    [null, "the whole"],
    ["u1", "the whole"],
    [[], "the whole"],
    [{}, "keyid"],
    [{ keyId: 1 }, "keyid"],
    [{ keyId: " \t" }, "keyid"],
    [{ keyId: "u1", name: 5 }, "name"],
    [{ keyId: "u1", customizedProperties: {} }, "customizedproperties"],
    [{ keyId: "u1", customizedProperties: [null] }, "customizedProperties[0]"],
    [{ keyId: "u1", customizedProperties: [{ name: "age", value: 36 }] }, "customizedProperties[0].value"],
  ])("%j is refused: %s", (input, place) => {
    expect(() => parseFlagUser(input)).toThrow(
      expect.objectContaining({
        code: "FLAG_USER_INVALID",
        message: expect.stringContaining(`cannot be read: ${place}: `),
      }),
    );
  });

  it("is read or refused with its code, whatever comes", () => {
    fc.assert(
      fc.property(fc.anything(), (input) => {
        try {
          expect(parseFlagUser(input).keyId).toBeTypeOf("string");
        } catch (error) {
          expect(error).toMatchObject({ code: "FLAG_USER_INVALID" });
        }
      }),
    );
  });
});
