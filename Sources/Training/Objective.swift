import Autograd
import Compute

/// A term of a loss over a micro-batch.
///
/// It says where gradients start and does not run the tape, so that several terms can share one forward pass and be added.
public protocol Objective<Pass> {
  /// What the forward passes of a step made: the variables that its terms read.
  associatedtype Pass

  /// The term's value and the gradients of what it reads.
  func callAsFunction(_ pass: Pass) -> ObjectiveValue
}

/// What objectives say of a micro-batch.
public struct ObjectiveValue {
  /// The objective: scale * sum over elements / batch.
  public var value: Double
  /// Images whose numbers were all finite or infinite; the others are left out of the objective.
  public var countedImages: Int
  /// Where the tape starts: outputs, and the gradients of the objective with respect to them, of their shapes.
  public var starts: [(output: Variable, gradient: Tensor)]
  /// What else was measured of the micro-batch, by name: losses before they are weighted, and what they are made of.
  public var figures: [String: Double]
  /// What is added up over the batch beside the objective and told with it; what each number is, the objective says.
  public var sums: [Double]

  /// - Parameters:
  ///   - value: the objective.
  ///   - countedImages: images that take part in it.
  ///   - starts: outputs and the gradients with respect to them.
  ///   - figures: what else was measured, by name.
  ///   - sums: what is added up over the batch; as many numbers of every micro-batch.
  public init(
    value: Double, countedImages: Int, starts: [(output: Variable, gradient: Tensor)], figures: [String: Double] = [:],
    sums: [Double] = []
  ) {
    (self.value, self.countedImages, self.starts, self.figures) = (value, countedImages, starts, figures)
    self.sums = sums
  }

  /// Both objectives together: an image counts where it does in both.
  public static func + (a: ObjectiveValue, b: ObjectiveValue) -> ObjectiveValue {
    ObjectiveValue(
      value: a.value + b.value, countedImages: min(a.countedImages, b.countedImages), starts: a.starts + b.starts,
      figures: a.figures.merging(b.figures) { $1 }, sums: a.sums + b.sums)
  }

  /// The objective times a weight; with a weight of 0 it is measured and no gradient starts from it.
  public static func * (weight: Float, value: ObjectiveValue) -> ObjectiveValue {
    if weight == 1 { return value }
    var weighted = value
    weighted.value = weight == 0 ? 0 : value.value * Double(weight)
    weighted.starts = weight == 0 ? [] : value.starts.map { ($0.output, scaled($0.gradient, by: weight)) }
    return weighted
  }
}

/// The sum of objectives that read the same forward passes.
public struct ObjectiveSum<Pass>: Objective {
  private let first: any Objective<Pass>
  private let others: [any Objective<Pass>]

  /// - Parameters:
  ///   - first: a term.
  ///   - others: further terms, added in their order.
  public init(_ first: any Objective<Pass>, _ others: any Objective<Pass>...) {
    (self.first, self.others) = (first, others)
  }

  /// The terms' values and gradients together.
  public func callAsFunction(_ pass: Pass) -> ObjectiveValue { others.reduce(first(pass)) { $0 + $1(pass) } }
}

/// An objective times a weight.
public struct WeightedObjective<Pass>: Objective {
  private let weight: Float
  private let objective: any Objective<Pass>

  /// - Parameters:
  ///   - weight: with 0 the objective is measured and no gradient starts from it.
  ///   - objective: what is weighted.
  public init(_ weight: Float, _ objective: any Objective<Pass>) {
    (self.weight, self.objective) = (weight, objective)
  }

  /// The weighted value and gradients.
  public func callAsFunction(_ pass: Pass) -> ObjectiveValue { weight * objective(pass) }
}
