import Compute

/// A record of operations, from which gradients are computed in reverse.
///
/// One thread records and runs it; operations spread over threads inside.
public final class Tape {
  private var nodes: [Node] = []

  /// An empty tape.
  public init() {}

  /// A variable whose gradient is wanted.
  public func variable(_ value: Tensor) -> Variable {
    let node = Node(tape: self, shape: value.shape, propagate: nil)
    nodes.append(node)
    return Variable(value: value, node: node)
  }

  /// Computes gradients with respect to every variable of this tape that `output` depends on, then empties the tape.
  ///
  /// What an operation kept for its gradient is released as soon as that gradient is done.
  /// - Parameters:
  ///   - output: where to start.
  ///   - gradient: the gradient of the objective with respect to `output`, of its shape.
  public func backward(from output: Variable, gradient: Tensor) {
    backward(from: [(output, gradient)])
  }

  /// The same from several outputs of one objective.
  public func backward(from outputs: [(output: Variable, gradient: Tensor)]) {
    for (output, gradient) in outputs {
      guard let start = output.node else { continue }
      precondition(start.tape === self, "the output was recorded on another tape")
      start.accumulate(gradient)
    }
    while let node = nodes.popLast() {
      guard let propagate = node.propagate else { continue }
      if let gradient = node.gradient { propagate(gradient) }
      node.propagate = nil
      node.gradient = nil
    }
  }

  /// A recorded operation or a variable.
  final class Node {
    unowned let tape: Tape
    let shape: [Int]
    var gradient: Tensor?
    /// Sends the gradient of this node's value on to what it was computed from; nil for variables.
    var propagate: ((Tensor) -> Void)?

    init(tape: Tape, shape: [Int], propagate: ((Tensor) -> Void)?) {
      self.tape = tape
      self.shape = shape
      self.propagate = propagate
    }

    func accumulate(_ contribution: Tensor) {
      precondition(contribution.shape == shape, "gradient \(contribution.shape) of a value \(shape)")
      if gradient == nil { gradient = contribution } else { gradient?.add(contribution) }
    }
  }

  fileprivate func record(_ value: Tensor, _ propagate: @escaping (Tensor) -> Void) -> Variable {
    let node = Node(tape: self, shape: value.shape, propagate: propagate)
    nodes.append(node)
    return Variable(value: value, node: node)
  }
}

/// A tensor, with a place on a tape if its gradient matters.
///
/// An operation records only if one of its inputs has such a place. That rule covers inference (no tape at all), frozen
/// networks (parameters without, input with) and training.
public struct Variable {
  /// What was computed.
  public let value: Tensor
  let node: Tape.Node?

  /// A constant: no gradient flows into it.
  public init(_ value: Tensor) { self.init(value: value, node: nil) }

  init(value: Tensor, node: Tape.Node?) {
    self.value = value
    self.node = node
  }

  /// The shape of the value.
  public var shape: [Int] { value.shape }

  /// The same value as a constant.
  public var detached: Variable { Variable(value) }

  /// Whether gradients flow into this variable.
  public var isRecorded: Bool { node != nil }

  /// The gradient after `Tape.backward`: nil where nothing flowed here.
  public var gradient: Tensor? { node?.gradient }

  /// Where this variable's gradient goes, without its value: what a recorded operation keeps of an input whose value its
  /// gradient does not need.
  var sink: Sink { Sink(node: node) }

  /// A destination of gradients, or none.
  struct Sink {
    let node: Tape.Node?

    /// Sends a gradient on if anybody wants it; computes it only then.
    func accumulate(_ gradient: @autoclosure () -> Tensor) {
      guard let node else { return }
      node.accumulate(gradient())
    }
  }

  /// The result of an operation on `inputs`, recorded if one of them is.
  static func record(_ value: Tensor, from inputs: [Variable?], _ propagate: @escaping (Tensor) -> Void) -> Variable {
    for input in inputs {
      if let tape = input?.node?.tape { return tape.record(value, propagate) }
    }
    return Variable(value)
  }
}

/// A computation whose inner results are not kept for its gradient, but made again when it is needed (Chen et al. 2016,
/// arXiv 1604.06174): memory for the time of one more forward pass.
///
/// - Parameters:
///   - inputs: everything recorded that the computation reads, parameters included.
///   - compute: called with false for the result alone, on detached inputs, and with true to record the same computation
///     on `inputs`. Both must give the same numbers.
/// - Returns: the result, recorded if one of the inputs is.
public func checkpoint(_ inputs: [Variable], _ compute: @escaping (_ isRecording: Bool) -> Variable) -> Variable {
  guard inputs.contains(where: \.isRecorded) else { return compute(false) }
  return .record(compute(false).value, from: inputs) { dy in
    // What this records lies on top of the tape that is being unwound, and is unwound next.
    compute(true).sink.accumulate(dy)
  }
}
