// English words that hold a sentence together rather than say something: articles, prepositions, pronouns, auxiliaries, conjunctions
// and punctuation. METEOR weighs them less. METEOR's own list came from counting news text; this one is from grammar.

export const functionWords: ReadonlySet<string> = new Set(
  (
    "a an the this that these those of in on at by for from to with without within into onto over under about after before between " +
    "through during against among as than but and or nor so if because while although though since until unless when where which who " +
    "whom whose what how i you he she it we they me him her us them my your his its our their mine yours hers ours theirs be am is are " +
    "was were been being have has had having do does did doing will would shall should can could may might must not no n't 's 're 've " +
    "'ll 'd 'm there here all also more most such only other some any each both up out then now just one two said . , ; : ! ? ' \" ` - -- ( ) [ ] $ % &"
  ).split(" "),
);
