/// Names of a pickle that this reader does not know.
///
/// A name is never imported and nothing is ever called, so what such a name makes is an opaque value: it may stand beside
/// what is read, and is refused only where it is needed. Names that are there to run code or to reach out of the process
/// are refused wherever they stand: a file that holds one was made to harm, or is damaged.
enum PickleForeign {
  /// Whether a name is refused outright.
  ///
  /// Of Python's own library those names pass that make plain values; the rest can run programs, read files, talk to others
  /// or import what can. Of other packages those are refused that load files or compile code. A name with dots reaches
  /// through its parts (protocol 4), so each part is looked at as if it were a module.
  static func isRefused(module: String, name: String) -> Bool {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    if isCode(module: module, name: parts[0]) { return true }
    return parts.indices.dropFirst().contains {
      isCode(module: parts[$0 - 1], name: parts[$0]) || isMachinery(parts[$0])
    }
  }

  private static func isCode(module: String, name: String) -> Bool {
    if PythonLibrary.has(module) {
      if let values = valueNames[module] {
        return !values.contains(name) && !isException(module: module, name: name)
      }
      // Not what such a module has imported for itself.
      return !valueModules.contains(module) || name.hasPrefix("_") || PythonLibrary.has(name)
    }
    let path = "\(module).\(name)"
    if valuesOfLoadingPackages.contains(path) { return false }
    if loaders.contains(path) { return true }
    return loadingPackages.contains { module == $0 || module.hasPrefix($0 + ".") }
  }

  /// Whether an attribute is one by which Python's own workings are reached: `__subclasses__`, `__globals__`.
  static func isMachinery(_ attribute: String) -> Bool { attribute.hasPrefix("__") && attribute != "__new__" }

  private static func isException(module: String, name: String) -> Bool {
    ["builtins", "exceptions"].contains(module)
      && ["Error", "Exception", "Warning", "Iteration"].contains(where: name.hasSuffix)
  }

  /// Python's modules of which every public name makes a value.
  private static let valueModules: Set = [
    "abc", "collections", "collections.abc", "_collections_abc", "_collections", "dataclasses", "calendar", "decimal",
    "_decimal", "_pydecimal", "enum", "fractions", "ipaddress", "math", "cmath", "numbers", "statistics", "pathlib",
    "pathlib._local", "typing", "zoneinfo", "UserDict", "UserList", "UserString", "sets",
  ]

  /// Of other modules of Python the names that do.
  private static let valueNames: [String: Set<String>] = {
    let types: Set = [
      "set", "frozenset", "dict", "list", "tuple", "int", "long", "float", "complex", "str", "unicode", "bytes",
      "bytearray", "bool", "object", "slice", "range", "xrange", "NoneType", "Ellipsis", "NotImplemented", "enumerate",
      "zip", "reversed", "property", "staticmethod", "classmethod", "super", "type", "getattr",
    ]
    let classes: Set = ["_reconstructor", "__newobj__", "__newobj_ex__"]
    return [
      "builtins": types, "__builtin__": types, "copyreg": classes, "copy_reg": classes, "exceptions": ["BaseException"],
      "argparse": ["Namespace"], "optparse": ["Values"], "functools": ["partial"], "operator": ["itemgetter"],
      "types": ["SimpleNamespace", "MappingProxyType", "NoneType", "GenericAlias", "UnionType"],
      "random": ["Random"], "re": ["_compile", "RegexFlag"], "string": ["Template"], "time": ["struct_time"],
      "uuid": ["UUID", "SafeUUID"], "array": ["array", "_array_reconstructor"], "io": ["BytesIO", "StringIO"],
      "logging": ["Logger", "RootLogger", "getLogger", "Formatter", "Filter", "LogRecord", "PercentStyle"],
      "http": ["HTTPStatus"], "signal": ["Signals", "Handlers", "Sigmasks"], "os": ["stat_result", "terminal_size"],
      "itertools": ["count", "cycle", "repeat", "chain", "islice", "product", "permutations", "combinations"],
      "_codecs": ["encode"], "threading": ["Event", "Lock", "RLock"], "queue": ["Empty", "Full"], "weakref": ["ref"],
      "datetime": ["datetime", "date", "time", "timedelta", "timezone", "tzinfo"],
    ]
  }()

  /// Functions that load a file, which may hold code, or run it.
  private static let loaders: Set = [
    "torch.load", "torch.save", "torch.compile", "torch.classes", "torch.ops", "numpy.load", "numpy.fromfile",
    "numpy.loadtxt", "numpy.genfromtxt", "numpy.memmap", "numpy.DataSource", "numpy.save", "numpy.savez",
    "numpy.lib.npyio.load", "pandas.read_pickle", "pandas.eval", "pandas.io.pickle.read_pickle",
  ]

  /// What of such packages makes a value, and stands in checkpoints: the layout of sparse tensors, lists and dictionaries
  /// that cannot change.
  private static let valuesOfLoadingPackages: Set = [
    "torch.serialization._get_layout", "torch.fx.immutable_collections.immutable_list",
    "torch.fx.immutable_collections.immutable_dict",
  ]

  /// Packages that install, load, compile or run code.
  private static let loadingPackages = [
    "torch.hub", "torch.jit", "torch.package", "torch.serialization", "torch.multiprocessing", "torch.testing",
    "torch._inductor", "torch.utils.cpp_extension", "torch.utils.bottleneck", "torch.utils.collect_env",
    "torch.utils._config_module", "torch.utils.model_zoo", "torch.fx", "torch.distributed.run",
    "torch.distributed.launch", "torch.distributed.elastic", "torch.distributed.rpc", "numpy.testing", "numpy.f2py",
    "numpy.ctypeslib", "numpy.distutils", "pip", "setuptools", "pkg_resources", "cloudpickle", "dill", "joblib",
    "requests", "httpx", "aiohttp", "urllib3", "IPython", "sh", "plumbum", "fabric", "paramiko",
  ]
}
