import { describe, expect, it } from "vitest";
import { createLoginThrottle } from "../src/store/login-throttle.ts";

const fail = async (): Promise<never> => {
  throw new Error("wrong password");
};

describe("the log-in throttle", () => {
  it("lets a name fail a few times, then makes it wait longer and longer", async () => {
    let time = 0;
    const throttle = createLoginThrottle(() => time);
    for (let attempt = 0; attempt < 5; attempt += 1)
      await expect(throttle.run("a", fail)).rejects.toThrow("wrong password");
    await expect(throttle.run("a", fail)).rejects.toMatchObject({ code: "LOGIN_THROTTLED" });
    time += 1_000;
    await expect(throttle.run("a", fail)).rejects.toThrow("wrong password");
    time += 1_000;
    await expect(throttle.run("a", fail)).rejects.toMatchObject({ code: "LOGIN_THROTTLED" });
    await expect(throttle.run("b", fail)).rejects.toThrow("wrong password");
  });

  it("forgets a name that succeeded", async () => {
    const throttle = createLoginThrottle(() => 0);
    for (let attempt = 0; attempt < 4; attempt += 1)
      await expect(throttle.run("a", fail)).rejects.toThrow("wrong");
    await throttle.run("a", async (succeeded) => succeeded());
    for (let attempt = 0; attempt < 5; attempt += 1)
      await expect(throttle.run("a", fail)).rejects.toThrow("wrong");
  });

  it("checks four at once, whoever they are", async () => {
    const throttle = createLoginThrottle(() => 0);
    let finish = (): void => {};
    const held = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const running = ["a", "b", "c", "d"].map((name) => throttle.run(name, () => held));
    await expect(throttle.run("e", fail)).rejects.toMatchObject({ code: "LOGIN_THROTTLED" });
    finish();
    await Promise.all(running);
    await expect(throttle.run("e", fail)).rejects.toThrow("wrong password");
  });
});
