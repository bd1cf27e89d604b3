"""The Inception network of pytorch-fid 0.3.0 with the weights of a file of this package."""

import h5py
import torch


def import_inception():
    """pytorch_fid.inception. It needs torchvision's Python code alone, so one without its compiled operators will do."""
    register = torch.library.register_fake
    try:
        import pytorch_fid.inception
    except RuntimeError:
        def ignored(name, *arguments, **options):
            if isinstance(name, str) and name.startswith("torchvision::"):
                return lambda function: function
            return register(name, *arguments, **options)

        torch.library.register_fake = ignored
        import pytorch_fid.inception
    finally:
        torch.library.register_fake = register
    return pytorch_fid.inception


def read_inception(path):
    with h5py.File(path, "r") as file:
        state = {name: torch.from_numpy(data[...]) for name, data in file["parameters"].items()}
    for name in [name for name in state if name.endswith(".running_var")]:
        state[name.replace("running_var", "num_batches_tracked")] = torch.tensor(0)
    inception = import_inception()
    inception.load_state_dict_from_url = lambda *_, **__: state
    return inception.InceptionV3([inception.InceptionV3.BLOCK_INDEX_BY_DIM[2048]]).eval()
