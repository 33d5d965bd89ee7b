"""What both libraries are asked in the same way: the gradient of a first batch in double precision, and a training of some steps."""

import copy
import json
import contextlib
import os
import sys

import torch


def trained(model):
    return [p for p in model.parameters() if p.requires_grad]


def inputs_of(batch):
    ids = torch.tensor(batch["ids"])
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": torch.tensor(batch["labels"])}


def loss_of(model, batch):
    return model(**inputs_of(batch)).loss


def gradients(model, batch, tensors_of):
    """As tensors under the names that `tensors_of` gives the adapter's."""
    double = copy.deepcopy(model).double()
    loss_of(double, batch).backward()
    for p in double.parameters():
        p.data = p.grad.clone() if p.grad is not None else torch.zeros_like(p)
    for b in double.buffers():
        b.data = torch.zeros_like(b)
    return {name: p.double() for name, p in tensors_of(double).items()}


def take_steps(model, batches, optimizer, after=lambda step: None):
    losses = []
    for step, batch in enumerate(batches):
        optimizer.zero_grad()
        loss = loss_of(model, batch)
        loss.backward()
        optimizer.step()
        after(step)
        losses.append(loss.item())
    return losses


def optimizer_of(model, kind, job):
    if kind == "sgd":
        return torch.optim.SGD(trained(model), lr=job["sgd"])
    return torch.optim.AdamW(trained(model), lr=job["adamw"], weight_decay=0.01)


def answer_lines(answers, verbs):
    """One line of JSON per question; a case that fails is that case's failure, and not the process's."""
    for line in sys.stdin:
        job = json.loads(line)
        try:
            with contextlib.redirect_stdout(sys.stderr):
                answer = verbs[job["do"]](job)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def open_answers():
    """Where answers go; what libraries print goes to standard error from here on."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers
