import Diagnostics
import Files
import Records

/// The architecture of a small feature network: a list of layers.
///
/// The same fields are written in YAML for a conversion and stored as the JSON attribute `config` of a `sid-features`
/// file:
///
/// ```yaml
/// img_resolution: 8        # height and width of the images in pixels
/// img_channels: 1          # 1 for gray, 3 for RGB
/// layers:                  # in order; NAME.weight and NAME.bias are the layer's tensors
///   - { type: convolution, name: conv1, outputs: 16, kernel: 3, padding: 1 }
///   - { type: relu }
///   - { type: average_pool, size: 2 }
///   - { type: flatten }    # in channel, row, column order
///   - { type: linear, name: fc1, outputs: 64, output: features }
///   - { type: linear, name: fc2, outputs: 10, output: scores }
/// ```
///
/// `output: features` marks the layer whose result is the feature vector; `output: scores`, optional, the one whose
/// result is one score per class. The network sees bytes as byte / 127.5 - 1.
public struct FeatureNetworkConfiguration: Sendable, Equatable {
  /// Image height and width in pixels.
  public let imgResolution: Int
  /// Image channels.
  public let imgChannels: Int
  /// The layers, first one first.
  public let layers: [Layer]

  /// One layer, and what its result is used for.
  public struct Layer: Sendable, Equatable {
    /// What it computes.
    public let operation: Operation
    /// What its result is, besides the next layer's input.
    public let output: Output?
  }

  /// What a layer computes.
  public enum Operation: Sendable, Equatable {
    /// Convolution with bias, stride 1; `padding` zeros on each side.
    case convolution(name: String, outputs: Int, kernel: Int, padding: Int)
    /// max(x, 0).
    case relu
    /// The mean of each 2x2 block.
    case averagePool
    /// Images to vectors in channel, row, column order.
    case flatten
    /// A linear map with bias, of vectors.
    case linear(name: String, outputs: Int)
  }

  /// What a layer's result is used for.
  public enum Output: String, Sendable {
    case features, scores
  }

  /// Reads a configuration.
  ///
  /// - Parameters:
  ///   - options: the fields, as YAML or JSON gave them.
  ///   - origin: the file that errors name.
  ///   - status: the status of the failure: `configuration` for a user's YAML, `dataError` for a data file.
  /// - Throws: a `Failure` naming the field that is missing, unknown or impossible.
  public init(_ options: [String: PlainValue], origin: String, status: ExitStatus = .configuration) throws {
    var fields = Fields(options, place: "the configuration", origin: origin, status: status)
    imgResolution = try fields.integer("img_resolution", in: 1...8192)
    imgChannels = try fields.integer("img_channels", in: 1...64)
    let list = try fields.list("layers")
    try fields.finish()
    layers = try list.enumerated().map { index, value in
      let place = "layer \(index + 1)"
      guard case .dictionary(let options) = value else {
        throw Failure(status, origin, "\(place) is expected to be a mapping with a `type`")
      }
      return try Self.layer(Fields(options, place: place, origin: origin, status: status))
    }
    try checkOutputs(origin: origin, status: status)
  }

  /// Reads the JSON text of a `config` attribute.
  public init(json: String, origin: String) throws {
    guard case .dictionary(let options)? = PlainValue(json: json) else {
      throw Failure(.dataError, origin, "the attribute `config` is not a JSON object")
    }
    try self.init(options, origin: origin, status: .dataError)
  }

  /// The names of all parameters, as a state_dict has them.
  public var parameterNames: Set<String> {
    Set(
      layers.flatMap { layer -> [String] in
        switch layer.operation {
        case .convolution(let name, _, _, _), .linear(let name, _): [name + ".weight", name + ".bias"]
        case .relu, .averagePool, .flatten: []
        }
      })
  }

  /// The JSON text for a `config` attribute, keys sorted.
  public var json: String {
    let layers = layers.map { layer -> JSONValue in
      var fields: [String: JSONValue]
      switch layer.operation {
      case .convolution(let name, let outputs, let kernel, let padding):
        fields = [
          "type": "convolution", "name": .string(name), "outputs": .int(outputs), "kernel": .int(kernel),
          "padding": .int(padding),
        ]
      case .relu: fields = ["type": "relu"]
      case .averagePool: fields = ["type": "average_pool", "size": 2]
      case .flatten: fields = ["type": "flatten"]
      case .linear(let name, let outputs): fields = ["type": "linear", "name": .string(name), "outputs": .int(outputs)]
      }
      fields["output"] = layer.output.map { .string($0.rawValue) }
      return .object(fields)
    }
    let fields: JSONValue = [
      "img_resolution": .int(imgResolution), "img_channels": .int(imgChannels), "layers": .array(layers),
    ]
    return fields.text
  }

  private static func layer(_ options: Fields) throws -> Layer {
    var fields = options
    let operation: Operation
    switch try fields.text("type") {
    case "convolution":
      let kernel = try fields.integer("kernel", in: 1...31)
      operation = .convolution(
        name: try fields.text("name"), outputs: try fields.integer("outputs", in: 1...65536), kernel: kernel,
        padding: try fields.integer("padding", in: 0...kernel - 1))
    case "relu": operation = .relu
    case "average_pool":
      _ = try fields.integer("size", in: 2...2)
      operation = .averagePool
    case "flatten": operation = .flatten
    case "linear":
      operation = .linear(name: try fields.text("name"), outputs: try fields.integer("outputs", in: 1...65536))
    case let other:
      throw fields.failure(
        "has the unknown type \"\(other)\"; known are convolution, relu, average_pool, flatten and linear")
    }
    let output = try fields.optionalText("output").map { word in
      guard let output = Output(rawValue: word) else {
        throw fields.failure("has the unknown output \"\(word)\"; known are features and scores")
      }
      return output
    }
    try fields.finish()
    return Layer(operation: operation, output: output)
  }

  private func checkOutputs(origin: String, status: ExitStatus) throws {
    for output in [Output.features, .scores] {
      let count = layers.count { $0.output == output }
      guard count == 1 || (count == 0 && output == .scores) else {
        throw Failure(
          status, origin, "\(count) layers have `output: \(output.rawValue)`, one is expected")
      }
    }
  }
}

/// The fields of a mapping, each to be taken once.
private struct Fields {
  private var options: [String: PlainValue]
  private let place: String
  private let origin: String
  private let status: ExitStatus

  init(_ options: [String: PlainValue], place: String, origin: String, status: ExitStatus) {
    (self.options, self.place, self.origin, self.status) = (options, place, origin, status)
  }

  func failure(_ problem: String) -> Failure { Failure(status, origin, "\(place) \(problem)") }

  mutating func integer(_ key: String, in range: ClosedRange<Int>) throws -> Int {
    let value = try take(key)
    guard case .integer(let number) = value, range.contains(number) else {
      throw failure("needs a whole number from \(range.lowerBound) to \(range.upperBound) for `\(key)`")
    }
    return number
  }

  mutating func text(_ key: String) throws -> String {
    guard let text = try take(key).textValue, !text.isEmpty, !text.contains("/") else {
      throw failure("needs a text without slashes for `\(key)`")
    }
    return text
  }

  mutating func optionalText(_ key: String) throws -> String? { options[key] == nil ? nil : try text(key) }

  mutating func list(_ key: String) throws -> [PlainValue] {
    guard case .list(let items) = try take(key), (1...1000).contains(items.count) else {
      throw failure("needs a list of 1 to 1000 items for `\(key)`")
    }
    return items
  }

  func finish() throws {
    if let unknown = options.keys.sorted().first { throw failure("has the unknown field `\(unknown)`") }
  }

  private mutating func take(_ key: String) throws -> PlainValue {
    guard let value = options.removeValue(forKey: key) else { throw failure("needs the field `\(key)`") }
    return value
  }
}

extension PlainValue {
  /// The value that a JSON text holds, with or without a byte order mark; nil where it is none.
  public init?(json: String) {
    guard let value = JSONValue(json: ByteOrderMark.removed(from: Array(json.utf8))) else { return nil }
    self.init(value)
  }

  private init(_ value: JSONValue) {
    switch value {
    case .null: self = .none
    case .bool(let flag): self = .flag(flag)
    case .int(let whole): self = .integer(whole)
    case .double(let real): self = Int(exactly: real).map { .integer($0) } ?? .real(real)
    case .string(let text): self = .text(text)
    case .array(let items): self = .list(items.map { PlainValue($0) })
    case .object(let fields): self = .dictionary(fields.mapValues { PlainValue($0) })
    }
  }
}
