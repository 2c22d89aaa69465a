// The order of Vietnamese names by ICU (Intl.Collator "vi"): stdin one name a line, stdout in order.
//
// Given name (last word), then surname (first word), then the words between. Names that ICU calls
// equal in all three stay together on one line, separated by tabs, in the order they came.
import { readFileSync } from "node:fs";

const { compare } = new Intl.Collator("vi");
const names = readFileSync(0, "utf8").split("\n").filter(Boolean);
const fields = (name) => {
  const words = name.split(" ");
  return [words.at(-1), words.length > 1 ? words[0] : "", words.slice(1, -1).join(" ")];
};
const parts = new Map(names.map((name) => [name, fields(name)]));
const order = (a, b) => {
  const [one, other] = [parts.get(a), parts.get(b)];
  return one.reduce((found, field, place) => found || compare(field, other[place]), 0);
};
const lines = [];
for (const name of names.sort(order)) {
  if (lines.length && order(lines.at(-1)[0], name) === 0) lines.at(-1).push(name);
  else lines.push([name]);
}
console.log(lines.map((line) => line.join("\t")).join("\n"));
