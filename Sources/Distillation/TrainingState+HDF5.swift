import Compute
import Diagnostics
import Foundation
import HDF5
import Models

extension TrainingState {
  /// The `format` attribute of a training state file.
  public static let format = "sid-training-state"

  /// Writes the whole state into a new file: continuing from it gives the same bits as never having stopped.
  ///
  /// Tensors are stored by state_dict names, in PyTorch's order of elements.
  public func write(to file: HDF5File) throws {
    let root = file.root
    try Self.writeFormat(to: root)
    try root.setAttribute("images_seen", imagesSeen)
    try root.setAttribute("fake_score_objective", fakeScoreObjective)
    for (name, network) in [("fake_score", fakeScore), ("generator", generator), ("generator_ema", generatorEMA)] {
      try network.write(to: try root.createGroup(name))
    }
    for (name, adam, network) in [
      ("fake_score_optimizer", fakeScoreAdam, fakeScore), ("generator_optimizer", generatorAdam, generator),
    ] {
      try adam.write(to: try root.createGroup(name), names: network)
    }
    let network = pending.phase == .fakeScore ? fakeScore : generator
    let group = try pending.write(to: root)
    for (index, gradient) in pending.gradients.enumerated() {
      guard let gradient else { continue }
      try group.write(network.stateDictOrder(gradient, of: index), to: network.specifications[index].name)
    }
  }

  static func writeFormat(to root: HDF5Group) throws {
    try root.setAttribute("format", format)
    try root.setAttribute("format_version", 1)
  }

  /// Reads a state that `write(to:)` or `ImportedTrainingState` wrote.
  /// - Parameter batch: images per iteration, for a state whose trainer counted iterations alone.
  /// - Throws: a `Failure` naming the file and what in it is missing or does not fit.
  public init(reading file: HDF5File, batch: Int) throws {
    try file.requireFormat(Self.format)
    let (root, path) = (file.root, file.path)
    let fakeScore = try Network(reading: try root.group("fake_score"), path: path)
    let generator = try Network(reading: try root.group("generator"), path: path)
    let generatorEMA = try Network(reading: try root.group("generator_ema"), path: path)
    guard fakeScore.specifications == generator.specifications, generatorEMA.specifications == generator.specifications
    else {
      throw Failure(.dataError, path, "its three networks have different architectures")
    }
    let group = try root.group("pending")
    guard let phase = DistillationPhase(rawValue: try group.stringAttribute("phase")) else {
      throw Failure(.dataError, path, "the attribute \"phase\" is neither fakeScore nor generator")
    }
    let tensors = HDF5Tensors(group, path: path)
    let gradients = try generator.specifications.indices.map { index -> Tensor? in
      try tensors.ifPresent(generator.specifications[index].name, index, of: generator, path: path)
    }
    self.init(
      fakeScore: fakeScore, generator: generator, generatorEMA: generatorEMA,
      fakeScoreAdam: try Adam(reading: try root.group("fake_score_optimizer"), names: fakeScore, path: path),
      generatorAdam: try Adam(reading: try root.group("generator_optimizer"), names: generator, path: path),
      imagesSeen: try Self.imagesSeen(root, batch: batch, path: path),
      pending: PendingStep(
        phase: phase, imagesDone: try group.intAttribute("images_done"),
        objective: try group.doubleAttribute("objective"),
        countedImages: try group.intAttribute("counted_images"),
        gradients: gradients),
      fakeScoreObjective: try root.doubleAttribute("fake_score_objective"))
    guard imagesSeen >= 0, pending.imagesDone >= 0 else {
      throw Failure(.dataError, path, "a counter of images is negative")
    }
  }

  private static func imagesSeen(_ root: HDF5Group, batch: Int, path: String) throws -> Int {
    if !root.hasAttribute("images_seen"), root.hasAttribute("iterations") {
      let images = try root.intAttribute("iterations").multipliedReportingOverflow(by: batch)
      guard !images.overflow else { throw Failure(.dataError, path, "a counter of iterations is too large") }
      return images.partialValue
    }
    return try root.intAttribute("images_seen")
  }
}

extension TrainingState.PendingStep {
  /// Writes the counters. Returns the group, to which the gradients belong.
  func write(to root: HDF5Group) throws -> HDF5Group {
    let group = try root.createGroup("pending")
    try group.setAttribute("phase", phase.rawValue)
    try group.setAttribute("images_done", imagesDone)
    try group.setAttribute("objective", objective)
    try group.setAttribute("counted_images", countedImages)
    return group
  }
}

extension Adam {
  func write(to group: HDF5Group, names network: Network) throws {
    try write(to: group, names: network.specifications) { index in
      guard let state = moments[index] else { return nil }
      return Moments(
        step: state.step, first: state.first.map { network.stateDictOrder($0, of: index) },
        second: network.stateDictOrder(state.second, of: index))
    }
  }

  /// Writes options and moments; `moments` gives those of one parameter in PyTorch's order of elements, asked for once
  /// each, in order.
  func write(
    to group: HDF5Group, names specifications: [ParameterSpecification], moments: (Int) throws -> Moments?
  ) throws {
    try group.setAttribute("beta1", beta1)
    try group.setAttribute("beta2", beta2)
    try group.setAttribute("epsilon", epsilon)
    let second = try group.createGroup("second_moment")
    let first = try group.createGroup("first_moment")
    for (index, specification) in specifications.enumerated() {
      guard let state = try moments(index) else { continue }
      try second.write(state.second, to: specification.name)
      try second.dataset(specification.name).setAttribute("step", state.step)
      if let moment = state.first { try first.write(moment, to: specification.name) }
    }
  }

  init(reading group: HDF5Group, names network: Network, path: String) throws {
    self.init(
      count: network.specifications.count, beta1: try group.doubleAttribute("beta1"),
      beta2: try group.doubleAttribute("beta2"),
      epsilon: try group.doubleAttribute("epsilon"))
    let second = try group.group("second_moment")
    let (seconds, firsts) = (HDF5Tensors(second, path: path), HDF5Tensors(try group.group("first_moment"), path: path))
    for (index, specification) in network.specifications.enumerated() {
      guard let moment = try seconds.ifPresent(specification.name, index, of: network, path: path) else { continue }
      let first = try firsts.ifPresent(specification.name, index, of: network, path: path)
      guard beta1 == 0 || first != nil else {
        throw Failure(.dataError, path, "the first moment of \"\(specification.name)\" is missing")
      }
      let step = try second.dataset(specification.name).intAttribute("step")
      guard (1...1 << 40).contains(step) else {
        throw Failure(.dataError, path, "the second moment of \"\(specification.name)\" is of step \(step)")
      }
      moments[index] = Moments(step: step, first: first, second: moment)
    }
  }
}

extension HDF5Tensors {
  /// The tensor that belongs to parameter `index`, arranged for the kernels; nil where the file has none.
  fileprivate func ifPresent(_ name: String, _ index: Int, of network: Network, path: String) throws -> Tensor? {
    guard let shape = shape(of: name) else { return nil }
    guard shape == network.specifications[index].shape else {
      throw Failure(
        .dataError, path,
        "\"\(name)\" has shape \(shape); the architecture needs \(network.specifications[index].shape)")
    }
    return network.memoryOrder(try tensor(name), of: index)
  }
}
