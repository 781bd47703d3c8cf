"""Makes scripted_net.pt and scripted_net.json beside this file: a module as a user scripts it.

Needs a PyTorch for Python, of which this project has only the C++ part, so both files are kept here:
python3 -m venv venv && venv/bin/pip install torch==2.11.0 && venv/bin/python script_net.py"""

import io
import json
import os
import zipfile
from typing import Dict

import torch


class Net(torch.nn.Module):
    """Reads [n, 2, 3], knows four classes; torch.nn throughout, with a branch and a dict."""

    def __init__(self):
        super().__init__()
        self.flatten = torch.nn.Flatten()
        self.hidden = torch.nn.Linear(6, 5)
        self.norm = torch.nn.BatchNorm1d(5)
        self.dropout = torch.nn.Dropout(0.25)
        self.last = torch.nn.Linear(5, 4)

    def forward(self, x: torch.Tensor) -> Dict[str, torch.Tensor]:
        hidden = self.dropout(torch.relu(self.norm(self.hidden(self.flatten(x)))))
        logits = self.last(hidden)
        if not self.training:
            logits = logits.contiguous()
        return {"logits": logits, "hidden": hidden}


torch.manual_seed(1)
net = Net()
for _ in range(3):  # running statistics that are not those of a new module
    net(torch.randn(8, 2, 3))
net.eval()
examples = torch.arange(18, dtype=torch.float32).sin().reshape(3, 2, 3)
folder = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(folder, "scripted_net.json"), "w", encoding="ascii") as file:
    json.dump({"examples": examples.flatten().tolist(),
               "logits": net(examples)["logits"].flatten().tolist()}, file)
    file.write("\n")
whole = io.BytesIO()
torch.jit.save(torch.jit.script(net), whole)
# Without the places in this file that each operator came from.
with zipfile.ZipFile(whole) as saved, zipfile.ZipFile(os.path.join(folder, "scripted_net.pt"), "w") as kept:
    for entry in saved.infolist():
        if not entry.filename.endswith(".debug_pkl"):
            kept.writestr(entry, saved.read(entry))
