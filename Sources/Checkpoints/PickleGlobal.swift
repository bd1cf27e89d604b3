/// The closed table of names that a pickle may use.
///
/// Nothing is ever imported or called: each name stands for a construction of this reader, and every other name is
/// refused.
package enum PickleGlobal: Sendable, Equatable {
  /// A dictionary type: `collections.OrderedDict`, `dnnlib.util.EasyDict`.
  case dictionaryType
  /// `set`.
  case setType
  /// `_codecs.encode`, which protocol 2 uses for bytes.
  case encode
  /// The persistent classes of EDM and SiD.
  case persistentObject
  /// PyTorch's module containers, by class name.
  case moduleContainer(String)
  case rebuildParameter
  case rebuildTensor
  /// A torch.save archive of one storage inside bytes.
  case loadFromBytes
  case storageType(ElementType)
  case numpyScalar
  case numpyType
  /// `torch.Size`, a tuple of extents.
  case size
  /// `torch.device`.
  case device

  /// - Returns: nil for a name that is not in the table.
  init?(module: String, name: String) {
    switch (module, name) {
    case ("collections", "OrderedDict"), ("dnnlib.util", "EasyDict"), ("dnnlib", "EasyDict"): self = .dictionaryType
    case ("builtins", "set"), ("__builtin__", "set"): self = .setType
    case ("_codecs", "encode"): self = .encode
    case ("torch_utils.persistence", "_reconstruct_persistent_obj"): self = .persistentObject
    case ("torch.nn.modules.container", "ModuleDict"), ("torch.nn.modules.container", "ModuleList"),
      ("torch.nn.modules.container", "Sequential"):
      self = .moduleContainer(name)
    case ("torch._utils", "_rebuild_parameter"): self = .rebuildParameter
    case ("torch._utils", "_rebuild_tensor_v2"): self = .rebuildTensor
    case ("torch.storage", "_load_from_bytes"): self = .loadFromBytes
    case ("torch", "Size"): self = .size
    case ("torch", "device"): self = .device
    case ("numpy", "dtype"): self = .numpyType
    case ("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar"): self = .numpyScalar
    case ("torch", _):
      guard let type = ElementType(torchStorage: name) else { return nil }
      self = .storageType(type)
    default: return nil
    }
  }
}
