import Compute
import HDF5
import Models
import Training

/// The objective and the gradients of one iteration, for another program to be held to.
struct RecordedStep {
  /// The objective.
  private var objective = 0.0
  /// The names of the parameters that are trained.
  private let names: [String]
  /// The norm of the gradient of each of them.
  private var norms: [Double] = []

  /// Runs one micro-batch of a training.
  /// - Parameter specifications: of the network whose turn it is.
  init(_ loop: TrainingLoop, _ specifications: [ParameterSpecification]) throws {
    let trained = specifications.indices.filter { specifications[$0].isTrainable }
    names = trained.map { specifications[$0].name }
    var (objective, norms): (Double, [Double]) = (0, [])
    loop.inspectGradients = { _, gradients in norms = trained.map { euclideanNorm(gradients[$0]?.values ?? []) } }
    loop.inspectObjective = { objective = $1.value }
    _ = try loop.advance()
    (self.objective, self.norms) = (objective, norms)
  }

  /// Writes the attributes `objective` and `parameters` and the data set `gradient_norms`.
  func write(to group: HDF5Group) throws {
    try group.setAttribute("objective", objective)
    try group.setAttribute("parameters", names)
    try group.write(norms, shape: [norms.count], to: "gradient_norms")
  }
}
