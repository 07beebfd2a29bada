import torch

from darkroom import runtime


def test_a_gpu_takes_the_same_kernels_in_every_run(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    monkeypatch.setattr(runtime, "keep_memory", lambda: None)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    found = runtime.torch_for(threads=torch.get_num_threads(), portable=False)
    assert (found.backends.cudnn.benchmark, found.backends.cudnn.deterministic) == (False, True)
