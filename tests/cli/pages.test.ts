// The pages of the command line's own diagnostics, executed: what stands under "Wrong" prints the page's code, what stands under
// "Right" does not. The commands run in a folder with a formatted menu.peft and an untidy.peft.

import { pages } from "../../cli/embedded/pages.ts";
import { assert, group } from "../harness.ts";
import { peft } from "./run-cli.ts";

const files = {
  "menu.peft": "peft 1\n\nimport { lora } from std.methods\n",
  "untidy.peft": "peft 1\nimport   {lora} from std.methods\n",
};

// Their own tests: a fault that is planted (commands.test.ts), a bundle that is edited (bundle.test.ts).
const elsewhere = new Set(["PEFT0900", "PEFT0914"]);

const block = (page: string, heading: string): string =>
  new RegExp(`^## ${heading}\\n+\`\`\`sh\\n(.*?)(?: +#.*)?\\n\`\`\``, "m").exec(page)![1]!;

group("pages of the command line", (test) => {
  for (const [code, page] of pages)
    if (code.startsWith("PEFT09") && !elsewhere.has(code))
      test(`${code} is printed where it says, and not where it says not`, async () => {
        const command = (heading: string): string =>
          block(page, heading)
            .replace(/^peft /, "")
            .replaceAll('"', "");
        const wrong = await peft(command("Wrong"), { files });
        assert.match(wrong.out + wrong.err, `[${code}]`);
        assert.is.not(wrong.code, 0);
        const right = await peft(command("Right"), { files });
        assert.not.match(right.out + right.err, `[${code}]`);
      });
});
