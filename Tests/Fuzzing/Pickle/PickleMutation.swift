/// Changes a pickle opcode by opcode, so that most of what comes out is read far into.
enum PickleMutation {
  /// - Parameters:
  ///   - tokens: the pickle.
  ///   - donor: another one, of which runs are taken over.
  static func apply(_ tokens: [PickleToken], donor: [PickleToken], _ random: inout FuzzRandom) -> [PickleToken] {
    var result = tokens
    for _ in 0...(random.oneIn(2) ? 0 : random.below(4)) {
      guard result.count > 2 else { return tokens }
      // Near the end, where the large structures are put together, as often as anywhere.
      let reach = random.oneIn(3) ? min(result.count, 40) : result.count
      let place = result.count - 1 - random.below(reach)
      switch random.below(14) {
      case 0: result.remove(at: place)
      case 1: result.removeSubrange(place..<min(result.count, place + 1 + random.below(12)))
      case 2:
        let run = result[place..<min(result.count, place + 1 + random.below(12))]
        result.insert(contentsOf: run, at: random.below(result.count))
      case 3: result.swapAt(place, random.below(result.count))
      case 4: result[place].opcode = sibling(of: result[place], &random)
      case 5, 6: result.insert(token(&random), at: place)
      case 7, 8, 9: result[place] = changed(result[place], in: result, &random)
      case 10:
        guard !donor.isEmpty else { continue }
        let start = random.below(donor.count)
        result.insert(contentsOf: donor[start..<min(donor.count, start + 1 + random.below(20))], at: place)
      case 11:
        if case .counted = result[place].form { result[place].declaredLength = random.integer() }
      case 12: result.insert(contentsOf: nest(&random), at: place)
      default: result.insert(contentsOf: construction(&random), at: place)
      }
    }
    return result
  }

  /// Another opcode whose argument has the same form.
  private static func sibling(of token: PickleToken, _ random: inout FuzzRandom) -> UInt8 {
    random.pick(PickleToken.names.keys.filter { PickleToken.form($0) == token.form }.sorted() + [token.opcode])
  }

  /// Any opcode with an argument of its form.
  private static func token(_ random: inout FuzzRandom) -> PickleToken {
    if random.oneIn(20) { return PickleToken(random.byte(), random.bytes(random.below(9))) }
    let opcode = random.pick(PickleToken.names.keys.sorted())
    switch PickleToken.form(opcode) {
    case .none: return PickleToken(opcode)
    case .fixed(let width):
      var argument = [UInt8](repeating: 0, count: width)
      argument.set(random.integer(), at: 0, count: width)
      return PickleToken(opcode, argument)
    case .counted: return PickleToken(opcode, text(&random))
    case .lines: return global(&random)
    }
  }

  private static func changed(_ token: PickleToken, in tokens: [PickleToken], _ random: inout FuzzRandom) -> PickleToken
  {
    var token = token
    switch token.form {
    case .none: break
    case .fixed(let width): token.argument.set(random.integer(), at: 0, count: width)
    case .counted:
      // A text of the same file in another place is what confuses most.
      let other = random.pick(tokens)
      token.argument =
        random.oneIn(2) && other.form == token.form
        ? other.argument : random.oneIn(3) ? ByteMutation.apply(token.argument, &random) : text(&random)
    case .lines: token = global(&random)
    }
    return token
  }

  private static func text(_ random: inout FuzzRandom) -> [UInt8] {
    switch random.below(8) {
    case 0: random.bytes(random.below(12))
    case 1: [UInt8](repeating: UInt8(ascii: "a"), count: 1 << random.below(13))
    default: Array(random.pick(words).utf8)
    }
  }

  private static let words = [
    "", "storage", "cpu", "cuda:0", "0", "1", "ema", "model", "state", "type", "class", "class_name", "_modules",
    "_parameters", "_buffers", "_init_kwargs", "_init_args", "_non_persistent_buffers_set", "f8", "b1", "<", ">", "|",
    "latin1", "param_groups", "params", "step", "exp_avg", "exp_avg_sq", "fake_score", "G", "G_ema",
    "fake_score_optimizer_state", "g_optimizer_state", "little_endian", "collections", "OrderedDict", "torch",
    "FloatStorage", "torch._utils", "_rebuild_tensor_v2", "torch.storage", "_load_from_bytes", "posix", "system",
    "é\u{301}",
  ]

  /// Every name that the reader knows, and some that it must not.
  static let globals: [(String, String)] =
    [
      ("collections", "OrderedDict"), ("dnnlib.util", "EasyDict"), ("builtins", "set"), ("_codecs", "encode"),
      ("torch_utils.persistence", "_reconstruct_persistent_obj"), ("torch.nn.modules.container", "ModuleDict"),
      ("torch.nn.modules.container", "ModuleList"), ("torch.nn.modules.container", "Sequential"),
      ("torch._utils", "_rebuild_parameter"), ("torch._utils", "_rebuild_tensor_v2"),
      ("torch.storage", "_load_from_bytes"), ("torch", "Size"), ("torch", "device"), ("numpy", "dtype"),
      ("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar"), ("os", "system"),
      ("subprocess", "Popen"), ("argparse", "Namespace"), ("collections", "defaultdict"), ("collections", "Counter"),
      ("builtins", "frozenset"), ("builtins", "getattr"), ("functools", "partial"), ("copyreg", "_reconstructor"),
      ("numpy.core.multiarray", "_reconstruct"), ("torch", "ComplexFloatStorage"), ("torch", "float32"),
      ("torch._utils", "_rebuild_parameter_with_state"), ("torch._tensor", "_rebuild_from_type_v2"),
      ("torch.nn.parallel.data_parallel", "DataParallel"), ("my.package", "Thing"),
    ]
    + ["Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool"].map {
      ("torch", $0 + "Storage")
    }

  private static func global(_ random: inout FuzzRandom) -> PickleToken {
    let (module, name) = random.pick(globals)
    return PickleToken("c", Array("\(module)\n\(name)\n".utf8))
  }

  /// Many containers in one another, or one that holds itself.
  private static func nest(_ random: inout FuzzRandom) -> [PickleToken] {
    let depth = 1 << random.below(12)
    switch random.below(4) {
    case 0: return Array(repeating: PickleToken("("), count: depth)
    case 1: return [PickleToken("]")] + Array(repeating: PickleToken(0x85), count: depth)
    case 2: return [PickleToken("]"), PickleToken("q", [7]), PickleToken("h", [7]), PickleToken("a")]
    default:
      return [PickleToken("}"), PickleToken("q", [7]), PickleToken("K", [1]), PickleToken("h", [7]), PickleToken("s")]
    }
  }

  /// A whole construction of one of the known names, its arguments partly right.
  private static func construction(_ random: inout FuzzRandom) -> [PickleToken] {
    func integer() -> PickleToken { PickleToken("K", [UInt8(random.below(6))]) }
    func tuple(_ count: Int) -> [PickleToken] {
      [PickleToken("(")] + (0..<count).map { _ in integer() } + [PickleToken("t")]
    }
    let name = global(&random)
    switch random.below(4) {
    case 0: return [name, PickleToken(")"), PickleToken("R")]
    case 1: return [name, PickleToken(")"), PickleToken(0x81), PickleToken("}"), PickleToken("b")]
    case 2:
      let key = PickleToken("X", [UInt8(ascii: "0") + UInt8(random.below(3))])
      return [
        PickleToken("("), PickleToken("X", Array("storage".utf8)), name, key, PickleToken("X", Array("cpu".utf8)),
        integer(), PickleToken("t"), PickleToken("Q"),
      ]
    default: return [name] + tuple(random.below(4)) + [PickleToken("R")]
    }
  }
}
