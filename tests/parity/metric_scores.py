# Scores by the libraries whose definition is the authority: rouge-score, sacrebleu, scikit-learn. In: {"sets": [{hypotheses,
# references: [[...]] per item}], "labels": [{predicted, true}]}. Out: one record per set.
import json
import sys

import numpy as np
import sacrebleu
from rouge_score import rouge_scorer
from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.significance import PairedTest
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

given = json.load(sys.stdin)
sets = []
for one in given["sets"]:
    hypotheses, references = one["hypotheses"], one["references"]
    most = max(len(several) for several in references)
    # sacrebleu takes one list per reference; an item with fewer has None there.
    streams = [[several[k] if k < len(several) else None for several in references] for k in range(most)]
    scores = {}
    for tokenize in ["13a", "intl", "char", "none"]:
        for lowercase in [False, True]:
            metric = BLEU(tokenize=tokenize, lowercase=lowercase)
            scores[f"bleu {tokenize} {lowercase}"] = metric.corpus_score(hypotheses, streams).score
    for smooth in ["floor", "add-k", "none"]:
        scores[f"bleu smooth {smooth}"] = BLEU(smooth_method=smooth).corpus_score(hypotheses, streams).score
    for order in [1, 2, 6]:
        scores[f"bleu order {order}"] = BLEU(max_ngram_order=order).corpus_score(hypotheses, streams).score
    scores["chrf"] = CHRF().corpus_score(hypotheses, streams).score
    scores["chrf++"] = CHRF(word_order=2).corpus_score(hypotheses, streams).score
    for stem in [False, True]:
        names = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
        scorer = rouge_scorer.RougeScorer(names, use_stemmer=stem)
        sums = dict.fromkeys(names, 0.0)
        for hypothesis, several in zip(hypotheses, references):
            for name, value in scorer.score_multi(several, hypothesis).items():
                sums[name] += value.fmeasure
        for name in names:
            scores[f"{name} {stem}"] = sums[name] / len(hypotheses)
    sets.append(scores)
labels = [
    {
        "accuracy": accuracy_score(one["true"], one["predicted"]),
        "f1": f1_score(one["true"], one["predicted"], average="macro"),
        "mcc": matthews_corrcoef(one["true"], one["predicted"]),
    }
    for one in given["labels"]
]
paired = []
for one in given["paired"]:
    # sacrebleu's own tests, and the very draws that they made, so that nothing is left to chance.
    count = len(one["first"])
    references = [one["references"]]
    found = {"draws": {}, "p": {}}
    for kind, times in (("bs", 1000), ("ar", 2000)):
        rng = np.random.default_rng(12345)
        draws = rng.choice(count, size=(times, count), replace=True) if kind == "bs" else rng.integers(2, size=(times, count), dtype=bool)
        found["draws"][kind] = draws.astype(int).tolist()
        metrics = {"bleu": BLEU(references=references), "chrf": CHRF(references=references)}
        test = PairedTest([("first", one["first"]), ("second", one["second"])], metrics, references=None, test_type=kind, n_samples=times)
        _, scores = test()
        for name, results in scores.items():
            if name != "System":
                found["p"][f"{kind} {name}"] = results[1].p_value
                found["p"][f"difference {name}"] = results[1].score - results[0].score
    paired.append(found)
print(json.dumps({"paired": paired, "sets": sets, "labels": labels, "sacrebleu": sacrebleu.__version__}))
