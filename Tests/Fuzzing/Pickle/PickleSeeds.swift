/// Small pickles by hand: between them they have every opcode and every name that the reader knows.
enum PickleSeeds {
  static let all: [[UInt8]] = [everyOpcode, everyName]

  private static func text(_ text: String) -> PickleToken { PickleToken("X", Array(text.utf8)) }
  private static func global(_ module: String, _ name: String) -> PickleToken {
    PickleToken("c", Array("\(module)\n\(name)\n".utf8))
  }

  /// A dictionary with a value for every opcode.
  private static let everyOpcode: [UInt8] = {
    var items: [PickleToken] = []
    var count = 0
    func add(_ value: [PickleToken]) {
      items += [text("k\(count)")] + value
      count += 1
    }
    for opcode: Character in ["N", "}", "]", ")"] { add([PickleToken(opcode)]) }
    for opcode: UInt8 in [0x88, 0x89, 0x8F] { add([PickleToken(opcode)]) }
    add([PickleToken("J", [0xFE, 0xFF, 0xFF, 0xFF])])
    add([PickleToken("K", [7])])
    add([PickleToken("M", [1, 2])])
    add([PickleToken(0x8A, [1, 2, 3])])
    add([PickleToken("G", [0x3F, 0xF8, 0, 0, 0, 0, 0, 0])])
    add([PickleToken(0x8C, Array("short".utf8))])
    add([PickleToken(0x8D, Array("long".utf8))])
    add([PickleToken("C", [1, 2])])
    add([PickleToken("B", [1, 2, 3])])
    add([PickleToken(0x8E, [1])])
    add([PickleToken("("), PickleToken("K", [1]), PickleToken("t")])
    add([PickleToken("K", [1]), PickleToken(0x85)])
    add([PickleToken("K", [1]), PickleToken("K", [1]), PickleToken(0x86)])
    add([PickleToken("N"), PickleToken("N"), PickleToken("N"), PickleToken(0x87)])
    add([PickleToken("]"), PickleToken("K", [1]), PickleToken("a")])
    add([PickleToken("]"), PickleToken("("), PickleToken("K", [1]), PickleToken("e")])
    add([PickleToken(0x8F), PickleToken("("), PickleToken("K", [1]), PickleToken(0x90)])
    add([PickleToken("}"), text("a"), PickleToken("N"), PickleToken("s")])
    add([PickleToken("N"), PickleToken("N"), PickleToken("0")])
    add([PickleToken("N"), PickleToken("("), PickleToken("N"), PickleToken("1")])
    add([PickleToken("K", [5]), PickleToken("q", [1]), PickleToken("0"), PickleToken("h", [1])])
    add([PickleToken("K", [5]), PickleToken("r", [2, 0, 0, 0]), PickleToken("0"), PickleToken("j", [2, 0, 0, 0])])
    add([PickleToken("K", [5]), PickleToken(0x94)])
    add([PickleToken("K", [1]), PickleToken("2"), PickleToken(0x86)])
    add([PickleToken("U", Array("two".utf8))])
    add([PickleToken("T", Array("two".utf8))])
    add([PickleToken("("), PickleToken("K", [1]), PickleToken("i", Array("my.package\nThing\n".utf8))])
    add([PickleToken("("), global("my.package", "Thing"), PickleToken("K", [1]), PickleToken("o")])
    add([PickleToken(0x82, [1])])
    add([PickleToken(0x83, [1, 2])])
    add([PickleToken(0x84, [1, 2, 3, 4])])
    add([PickleToken(0x8B, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])])
    add([PickleToken("("), PickleToken("K", [1]), PickleToken(0x91)])
    add([global("my.package", "Thing"), PickleToken(")"), PickleToken("}"), PickleToken(0x92)])
    add([PickleToken(0x96, [1, 2])])
    add([text("collections"), text("OrderedDict"), PickleToken(0x93), PickleToken(")"), PickleToken("R")])
    return PickleToken.encode(
      [PickleToken(0x80, [4]), PickleToken(0x95, [UInt8](repeating: 0, count: 8)), PickleToken("}"), PickleToken("(")]
        + items + [PickleToken("u"), PickleToken(".")])
  }()

  /// A dictionary with a construction for every name.
  private static let everyName: [UInt8] = {
    let dtype: [PickleToken] = [
      global("numpy", "dtype"), text("f8"), PickleToken(0x89), PickleToken(0x88), PickleToken(0x87), PickleToken("R"),
      PickleToken("("), PickleToken("K", [3]), text("<"), PickleToken("N"), PickleToken("N"), PickleToken("N"),
      PickleToken("J", [0xFF, 0xFF, 0xFF, 0xFF]), PickleToken("J", [0xFF, 0xFF, 0xFF, 0xFF]), PickleToken("K", [0]),
      PickleToken("t"), PickleToken("b"),
    ]
    let eight = PickleToken("C", [0, 0, 0, 0, 0, 0, 0xF8, 0x3F])
    let tensor: [PickleToken] =
      [
        global("torch._utils", "_rebuild_parameter"), PickleToken("("), global("torch._utils", "_rebuild_tensor_v2"),
        PickleToken("("), global("torch.storage", "_load_from_bytes"), PickleToken("B", LegacyImage.oneStorage),
        PickleToken(0x85), PickleToken("R"), PickleToken("K", [0]), PickleToken("("), PickleToken("K", [2]),
        PickleToken("t"), PickleToken("("), PickleToken("K", [1]), PickleToken("t"), PickleToken(0x89),
        global("collections", "OrderedDict"), PickleToken(")"), PickleToken("R"), PickleToken("t"), PickleToken("R"),
        PickleToken(0x89), global("collections", "OrderedDict"), PickleToken(")"), PickleToken("R"), PickleToken("t"),
        PickleToken("R"),
      ]
    func module(_ head: [PickleToken], _ parameters: [PickleToken], _ children: [PickleToken]) -> [PickleToken] {
      [PickleToken("}"), PickleToken("("), text("_parameters"), PickleToken("}")] + parameters + [text("_modules")]
        + [PickleToken("}")] + children + [text("_init_kwargs"), PickleToken("}"), PickleToken("u")]
    }
    func object(_ name: String, _ state: [PickleToken]) -> [PickleToken] {
      [
        global("torch_utils.persistence", "_reconstruct_persistent_obj"), PickleToken("}"), PickleToken("("),
        text("type"), text("class"), text("class_name"), text(name), text("state"),
      ] + state + [PickleToken("u"), PickleToken(0x85), PickleToken("R")]
    }
    let container =
      [global("torch.nn.modules.container", "ModuleDict"), PickleToken(")"), PickleToken(0x81)]
      + module([], [text("weight")] + tensor + [PickleToken("s")], []) + [PickleToken("b")]
    let child = object("SongUNet", module([], [], [text("enc")] + container + [PickleToken("s")]))
    let constructions: [[PickleToken]] = [
      [
        global("builtins", "set"), PickleToken("]"), PickleToken("N"), PickleToken("a"), PickleToken(0x85),
        PickleToken("R"),
      ],
      [global("dnnlib.util", "EasyDict"), PickleToken(")"), PickleToken(0x81)],
      [
        global("torch", "Size"), PickleToken("("), PickleToken("K", [3]), PickleToken("t"), PickleToken(0x85),
        PickleToken("R"),
      ],
      [global("torch", "device"), text("cpu"), PickleToken(0x85), PickleToken("R")],
      [global("numpy.core.multiarray", "scalar")] + dtype + [eight, PickleToken(0x86), PickleToken("R")],
      [global("numpy._core.multiarray", "scalar")] + dtype + [
        global("_codecs", "encode"), text("\0\0\0\0\0\0ø?"), text("latin1"), PickleToken(0x86), PickleToken("R"),
        PickleToken(0x86), PickleToken("R"),
      ],
      object("EDMPrecond", module([], [], [text("model")] + child + [PickleToken("s")])),
    ]
    let more =
      ["ModuleList", "Sequential"].map { name in
        [global("torch.nn.modules.container", name), PickleToken(")"), PickleToken(0x81)]
      } + [[global("torch.nn.parallel.data_parallel", "DataParallel"), PickleToken(")"), PickleToken(0x81)]]
    let one: [PickleToken] = [PickleToken("K", [1]), PickleToken(0x85), PickleToken("R")]
    let foreign: [[PickleToken]] =
      [
        ("argparse", "Namespace"), ("my.package", "Thing"), ("functools", "partial"), ("copyreg", "_reconstructor"),
        ("numpy.core.multiarray", "_reconstruct"),
      ].map { [global($0, $1)] + one }
      + [
        [global("collections", "defaultdict"), PickleToken(")"), PickleToken("R")],
        [global("collections", "Counter"), PickleToken("}"), PickleToken(0x85), PickleToken("R")],
        [global("builtins", "frozenset"), PickleToken(")"), PickleToken("R")],
        [
          global("builtins", "getattr"), global("my.package", "Thing"), text("a"), PickleToken(0x86), PickleToken("R"),
        ],
        [global("torch", "ComplexFloatStorage")], [global("torch", "float32")],
        [
          global("torch._tensor", "_rebuild_from_type_v2"), global("torch._utils", "_rebuild_parameter_with_state"),
          global("torch.nn.parameter", "Parameter"), PickleToken("("),
        ] + tensor + [
          PickleToken(0x89), PickleToken("}"), PickleToken("}"), PickleToken("t"), PickleToken("}"), PickleToken("("),
          PickleToken("t"), PickleToken("0"), PickleToken(0x87), PickleToken("R"),
        ],
      ]
    let storages = ["Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool"].map {
      [global("torch", $0 + "Storage")]
    }
    let values = more + storages + foreign + constructions
    let items = values.enumerated().flatMap { index, value in
      [text(index == values.count - 1 ? "ema" : "k\(index)")] + value
    }
    return PickleToken.encode(
      [PickleToken(0x80, [4]), PickleToken("}"), PickleToken("(")] + items + [PickleToken("u"), PickleToken(".")])
  }()
}
