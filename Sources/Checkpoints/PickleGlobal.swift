/// What the names of a pickle stand for.
///
/// Nothing is ever imported or called: a known name stands for a construction of this reader, a foreign one for an opaque
/// value.
package enum PickleGlobal: Sendable, Equatable {
  /// A dictionary type: `collections.OrderedDict`, `dnnlib.util.EasyDict`.
  case dictionaryType
  /// `collections.defaultdict`, a dictionary whose first argument makes its missing values.
  case defaultDictionaryType
  /// `set` and `frozenset`.
  case setType
  /// `_codecs.encode`, which protocol 2 uses for bytes.
  case encode
  /// The persistent classes of EDM and SiD.
  case persistentObject
  /// PyTorch's module containers and wrappers, by class name.
  case moduleContainer(String)
  case rebuildParameter
  case rebuildTensor
  /// A tensor that carries Python attributes.
  case rebuildFromType
  /// A torch.save archive of one storage inside bytes.
  case loadFromBytes
  case storageType(ElementType)
  /// A storage of elements that are not read; their size where it is known.
  case foreignStorageType(String, elementBytes: Int?)
  case numpyScalar
  case numpyType
  /// `torch.Size`, a tuple of extents.
  case size
  /// `torch.device`.
  case device
  /// A name that this reader does not know, `MODULE.NAME`.
  case foreign(String)

  /// - Returns: nil for a name that runs code, which is refused.
  init?(module: String, name: String) {
    switch (module, name) {
    case ("collections", "OrderedDict"), ("dnnlib.util", "EasyDict"), ("dnnlib", "EasyDict"),
      ("builtins", "dict"), ("__builtin__", "dict"), ("collections", "Counter"):
      self = .dictionaryType
    case ("collections", "defaultdict"): self = .defaultDictionaryType
    case ("builtins", "set"), ("__builtin__", "set"), ("builtins", "frozenset"), ("__builtin__", "frozenset"):
      self = .setType
    case ("_codecs", "encode"): self = .encode
    case ("torch_utils.persistence", "_reconstruct_persistent_obj"): self = .persistentObject
    case ("torch.nn.modules.container", "ModuleDict"), ("torch.nn.modules.container", "ModuleList"),
      ("torch.nn.modules.container", "Sequential"), ("torch.nn.parallel.data_parallel", "DataParallel"),
      ("torch.nn.parallel.distributed", "DistributedDataParallel"):
      self = .moduleContainer(name)
    case ("torch._utils", "_rebuild_parameter"), ("torch._utils", "_rebuild_parameter_with_state"):
      self = .rebuildParameter
    case ("torch._utils", "_rebuild_tensor_v2"): self = .rebuildTensor
    case ("torch._tensor", "_rebuild_from_type_v2"): self = .rebuildFromType
    case ("torch.storage", "_load_from_bytes"): self = .loadFromBytes
    case ("torch", "Size"): self = .size
    case ("torch", "device"): self = .device
    case ("numpy", "dtype"): self = .numpyType
    case ("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar"): self = .numpyScalar
    case ("torch", _), ("torch.storage", "UntypedStorage"):
      if let type = ElementType(torchStorage: name) {
        self = .storageType(type)
      } else if name.hasSuffix("Storage") {
        self = .foreignStorageType(name, elementBytes: Self.foreignElementBytes[name])
      } else {
        fallthrough
      }
    default:
      guard !PickleForeign.isRefused(module: module, name: name) else { return nil }
      self = .foreign("\(module).\(name)")
    }
  }

  /// The name for messages, `MODULE.NAME` where it is a foreign one.
  var title: String {
    switch self {
    case .foreign(let name), .moduleContainer(let name), .foreignStorageType(let name, _): name
    case .storageType(let type): "a storage of \(type.rawValue)"
    default: "\(self)"
    }
  }

  /// PyTorch's storages whose elements are no real numbers.
  private static let foreignElementBytes = [
    "ComplexDoubleStorage": 16, "ComplexFloatStorage": 8, "QInt8Storage": 1, "QUInt8Storage": 1, "QInt32Storage": 4,
    "QUInt4x2Storage": 1, "QUInt2x4Storage": 1, "UntypedStorage": 1,
  ]
}
