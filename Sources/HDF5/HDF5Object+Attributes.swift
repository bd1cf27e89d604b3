/// Attributes of groups and data sets.
extension HDF5Object {
  /// Whether it has this attribute.
  public func hasAttribute(_ name: String) -> Bool { exists(attribute: name) }

  /// Reads an attribute of one text.
  /// - Throws: a `Failure` with status `dataError` where it is missing or something else.
  public func stringAttribute(_ name: String) throws -> String {
    try single(readStrings(attribute: name), attribute: name)
  }

  /// Reads an attribute of one integer.
  public func intAttribute(_ name: String) throws -> Int {
    try Int(single(readNumbers(attribute: name, as: Int64.self, zero: 0), attribute: name))
  }

  /// Reads an attribute of one number.
  public func doubleAttribute(_ name: String) throws -> Double {
    try single(readNumbers(attribute: name, as: Double.self, zero: 0), attribute: name)
  }

  /// Reads an attribute of any number of texts.
  public func stringsAttribute(_ name: String) throws -> [String] { try readStrings(attribute: name) }

  /// Reads an attribute of any number of integers.
  public func intsAttribute(_ name: String) throws -> [Int] {
    try readNumbers(attribute: name, as: Int64.self, zero: 0).map { Int($0) }
  }

  /// Reads an attribute of any number of numbers.
  public func doublesAttribute(_ name: String) throws -> [Double] {
    try readNumbers(attribute: name, as: Double.self, zero: 0)
  }

  /// Writes an attribute, in place of one of the same name.
  public func setAttribute(_ name: String, _ value: String) throws {
    try write([value], attribute: name, isScalar: true)
  }

  /// Writes an attribute, in place of one of the same name.
  public func setAttribute(_ name: String, _ value: Int) throws {
    try write([Int64(value)], attribute: name, isScalar: true)
  }

  /// Writes an attribute, in place of one of the same name.
  public func setAttribute(_ name: String, _ value: Double) throws {
    try write([value], attribute: name, isScalar: true)
  }

  /// Writes an attribute, in place of one of the same name.
  public func setAttribute(_ name: String, _ values: [String]) throws {
    try write(values, attribute: name, isScalar: false)
  }

  /// Writes an attribute, in place of one of the same name.
  public func setAttribute(_ name: String, _ values: [Int]) throws {
    try write(values.map { Int64($0) }, attribute: name, isScalar: false)
  }

  /// Writes an attribute, in place of one of the same name.
  public func setAttribute(_ name: String, _ values: [Double]) throws {
    try write(values, attribute: name, isScalar: false)
  }
}
