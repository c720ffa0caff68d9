import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface TestCertificateOptions {
  /** Of the files, without their ending. */
  readonly file: string;
  /** Subject alternative names, such as `DNS:a.example`. */
  readonly names: readonly string[];
  /** Name of its subject. */
  readonly subject?: string;
}

/**
 * Makes certificates that one authority of its own signs, with the openssl command at `path`. The authority is
 * `ca.pem` in `folder`; it is made anew for a folder that has none.
 */
export function createTestAuthority(
  path: string,
  folder: string,
): { readonly ca: string; issue(options: TestCertificateOptions): TestCertificate } {
  const run = (...args: string[]): void => void execFileSync(path, args, { stdio: "pipe", cwd: folder });
  const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const ca = join(folder, "ca.pem");
  if (!existsSync(ca))
    run("req", "-x509", ...ec, "-keyout", "ca.key", "-out", ca, "-days", "2", "-subj", "/CN=test authority");
  return {
    ca,
    issue({ file, names, subject = file }) {
      const [cert, key] = [join(folder, `${file}.pem`), join(folder, `${file}.key`)];
      const extensions = `basicConstraints=CA:FALSE\n${names.length > 0 ? `subjectAltName=${names.join(",")}\n` : ""}`;
      writeFileSync(join(folder, `${file}.ext`), extensions);
      run("req", "-new", ...ec, "-keyout", key, "-out", `${file}.csr`, "-subj", `/CN=${subject}`);
      const signing = ["-CA", ca, "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"];
      run("x509", "-req", "-in", `${file}.csr`, ...signing, "-extfile", `${file}.ext`, "-out", cert);
      return { cert, key };
    },
  };
}
