// Words as the COCO caption scorers see them: the Penn Treebank cut, in lower case, without punctuation. Stanford's tokenizer is a large
// grammar; these are the rules of it that English descriptions and captions meet, and the scores of the E2E challenge come out of it.

const dropped = new Set(["''", "'", "``", "`", "-lrb-", "-rrb-", "-lcb-", "-rcb-", ".", "?", "!", ",", ":", "-", "--", "...", ";", '"']);
const brackets = new Set(["(", ")", "{", "}", "[", "]"]);

/** A line of text to words. */
export const captionWords = (text: string): string[] =>
  text
    .toLowerCase()
    .replace(/[\u2018\u2019]/g, "'")
    .replace(/[\u201c\u201d]/g, '"')
    .replace(/([^\s\w'.,\-\u00c0-\u024f&%]|--+|\.\.\.)/gu, " $1 ")
    .replace(/([^\d\s]|^|\s)([,])(?=\S|\s|$)/g, "$1 $2 ")
    .replace(/(\d),(?!\d)/g, "$1 , ")
    .replace(/\.(?=["')\]]*\s*$)/g, " . ")
    .replace(/([a-z\u00c0-\u024f]{2,}|\d)\.(?=\s)/g, "$1 . ")
    .replace(/(\w)n't\b/g, "$1 n't")
    .replace(/(\S)('s|'re|'ve|'ll|'d|'m)(?=\s|$|[.,])/g, "$1 $2")
    .replace(/(^|\s)'(?=\S)(?!(s|re|ve|ll|d|m)(\s|$))/g, "$1' ")
    .replace(/(\S)'(?=\s|$)/g, "$1 ' ")
    .split(/\s+/)
    .filter((word) => word !== "" && !dropped.has(word) && !brackets.has(word));
