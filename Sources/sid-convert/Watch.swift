import Compute
import Stage

/// Shows the reading of tensors as progress, and ends it when the program is asked to stop.
final class Watch {
  private let output: String
  private let progress: ProgressReporter
  private var done = 0

  init(output: String, progress: ProgressReporter) {
    self.output = output
    self.progress = progress
  }

  /// Reads one tensor.
  func read(_ body: () throws -> Tensor) throws -> Tensor {
    try StopRequest.check(output)
    let tensor = try body()
    done += 1
    progress.update(done: done)
    return tensor
  }
}

/// Tensors that are read under a watch.
struct WatchedTensors: TensorSource {
  let tensors: any TensorSource
  let watch: Watch

  var tensorNames: [String] { tensors.tensorNames }
  func shape(of name: String) -> [Int]? { tensors.shape(of: name) }
  func problem(with name: String) -> String? { tensors.problem(with: name) }
  func tensor(_ name: String) throws -> Tensor { try watch.read { try tensors.tensor(name) } }
}
