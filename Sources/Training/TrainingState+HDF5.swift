import Compute
import Diagnostics
import Foundation
import HDF5
import Models

extension TrainingState {
  /// A training state file. Version 1 added gradients in the order of the micro-batches and knew distillation alone.
  public static let format = HDF5Format("sid-training-state", versions: 1...2)

  /// Writes the whole state into a new file: continuing from it gives the same bits as never having stopped.
  ///
  /// Each network is a group of its name, beside it `NAME_ema` and `NAME_optimizer`; tensors are stored by state_dict names,
  /// in PyTorch's order of elements. `pending` holds the turn under way, and a group for each partial sum of gradients.
  public func write(to file: HDF5File) throws {
    let root = file.root
    try root.setFormat(Self.format)
    try root.setAttribute("images_seen", imagesSeen)
    for trained in networks {
      try trained.network.write(to: try root.createGroup(trained.name))
      if let average = trained.average { try average.write(to: try root.createGroup(trained.name + "_ema")) }
      try trained.adam.write(to: try root.createGroup(trained.name + "_optimizer"), names: trained.network)
    }
    let group = try Self.writePending(turn: turn, to: root)
    for (name, objective) in objectives.sorted(by: { $0.key < $1.key }) {
      try group.setAttribute("objective_" + name, objective)
    }
    try pending.write(to: group, network: self[turn].network)
  }

  /// Writes a turn of which nothing is done. Returns the group, to which sums of gradients belong.
  @discardableResult
  public static func writePending(turn: String, to root: HDF5Group) throws -> HDF5Group {
    let group = try root.createGroup("pending")
    try group.setAttribute("turn", turn)
    return group
  }

  /// One of the networks that a file is expected to hold.
  public struct ExpectedNetwork: Sendable {
    let name: String
    let hasAverage: Bool

    /// - Parameters:
    ///   - name: of its turn.
    ///   - hasAverage: whether an average is kept.
    public init(_ name: String, hasAverage: Bool) { (self.name, self.hasAverage) = (name, hasAverage) }
  }

  /// Reads a state that `write(to:)` wrote, or a converter of another trainer's.
  ///
  /// - Parameters:
  ///   - networks: what it must hold, in the order of the turns.
  ///   - cut: how the run cuts a batch. A state of version 1 that was stopped within a batch begins that turn again.
  ///   - didBeginAgain: is told so.
  /// - Throws: a `Failure` naming the file and what in it is missing or does not fit.
  public init(
    reading file: HDF5File, networks expected: [ExpectedNetwork], cut: MicroBatches, didBeginAgain: () -> Void = {}
  ) throws {
    let version = try file.requireFormat(Self.format)
    let (root, path) = (file.root, file.path)
    var trained: [TrainedNetwork] = []
    for one in expected {
      let network = try Network(reading: try root.group(one.name), path: path)
      let average = one.hasAverage ? try Network(reading: try root.group(one.name + "_ema"), path: path) : nil
      guard network.specifications == trained.first?.network.specifications ?? network.specifications,
        average.map({ $0.specifications == network.specifications }) ?? true
      else { throw Failure(.dataError, path, "its networks have different architectures") }
      let adam = try Adam(reading: try root.group(one.name + "_optimizer"), names: network, path: path)
      trained.append(TrainedNetwork(name: one.name, network: network, average: average, adam: adam))
    }
    let imagesSeen = try Self.imagesSeen(root, batch: cut.batch, path: path)
    guard (0...1 << 53).contains(imagesSeen) else {
      throw Failure(.dataError, path, "a counter of images is negative or too large")
    }
    let group = try root.group("pending")
    var turn: String
    var objectives: [String: Double] = [:]
    var pending = GradientSum(cut)
    if version == 1 {
      turn = try group.stringAttribute("phase") == "fakeScore" ? "fake_score" : try group.stringAttribute("phase")
      if turn != expected[0].name { objectives[expected[0].name] = try root.doubleAttribute("fake_score_objective") }
      if try group.intAttribute("images_done") != 0 { didBeginAgain() }
    } else {
      turn = try group.stringAttribute("turn")
      for one in expected where group.hasAttribute("objective_" + one.name) {
        objectives[one.name] = try group.doubleAttribute("objective_" + one.name)
      }
    }
    guard let network = trained.first(where: { $0.name == turn })?.network else {
      throw Failure(
        .dataError, path,
        "the turn under way is \"\(turn)\"; \(expected.map(\.name).joined(separator: " or ")) is expected")
    }
    if version > 1 { pending = try GradientSum(reading: group, network: network, cut: cut, path: path) }
    self.init(networks: trained, imagesSeen: imagesSeen, turn: turn, pending: pending, objectives: objectives)
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

extension GradientSum {
  /// Writes the cut and a group for each partial sum.
  fileprivate func write(to group: HDF5Group, network: Network) throws {
    guard !isEmpty else { return }
    try group.setAttribute("batch", cut.batch)
    try group.setAttribute("microbatch", cut.microbatch)
    try group.setAttribute("gradient_groups", cut.maximumGroups)
    for (number, part) in parts.enumerated() {
      let sum = try group.createGroup("sum_\(number)")
      try sum.setAttribute("first_microbatch", part.microbatches.lowerBound)
      try sum.setAttribute("microbatches", part.microbatches.count)
      try sum.setAttribute("objective", part.objective)
      try sum.setAttribute("counted_images", part.countedImages)
      if !part.sums.isEmpty { try sum.setAttribute("sums", part.sums) }
      for (index, gradient) in part.gradients.enumerated() {
        guard let gradient else { continue }
        try sum.write(network.stateDictOrder(gradient, of: index), to: network.specifications[index].name)
      }
    }
  }

  fileprivate init(reading group: HDF5Group, network: Network, cut: MicroBatches, path: String) throws {
    var parts: [Part] = []
    let foreign = Failure(
      .dataError, path,
      "its sums of gradients do not belong to a training with --batch \(cut.batch), "
        + "--microbatch \(cut.microbatch) and --gradient-groups \(cut.maximumGroups)")
    while group.contains("sum_\(parts.count)") {
      let saved = MicroBatchesRecord(
        batch: try group.intAttribute("batch"), microbatch: try group.intAttribute("microbatch"),
        maximumGroups: try group.intAttribute("gradient_groups"))
      guard saved == MicroBatchesRecord(cut) else { throw foreign }
      let sum = try group.group("sum_\(parts.count)")
      let (first, count) = (try sum.intAttribute("first_microbatch"), try sum.intAttribute("microbatches"))
      guard first >= parts.last?.microbatches.upperBound ?? 0, first < cut.count,
        (1...cut.count - first).contains(count)
      else { throw foreign }
      let counted = try sum.intAttribute("counted_images")
      let images = cut.images(first + count - 1).upperBound - cut.images(first).lowerBound
      guard (0...images).contains(counted) else { throw foreign }
      let tensors = HDF5Tensors(sum, path: path)
      let gradients = try network.specifications.indices.map { index in
        try tensors.ifPresent(network.specifications[index].name, index, of: network, path: path)
      }
      parts.append(
        Part(
          microbatches: first..<first + count, gradients: gradients, objective: try sum.doubleAttribute("objective"),
          countedImages: counted, sums: sum.hasAttribute("sums") ? try sum.doublesAttribute("sums") : []))
    }
    guard let sum = GradientSum(cut, parts: parts) else { throw foreign }
    self = sum
  }

  /// Numbers of a file, which need not make sense.
  private struct MicroBatchesRecord: Equatable {
    let batch: Int, microbatch: Int, maximumGroups: Int

    init(batch: Int, microbatch: Int, maximumGroups: Int) {
      (self.batch, self.microbatch, self.maximumGroups) = (batch, microbatch, maximumGroups)
    }

    init(_ cut: MicroBatches) {
      self.init(batch: cut.batch, microbatch: cut.microbatch, maximumGroups: cut.maximumGroups)
    }
  }
}

extension Adam {
  package func write(to group: HDF5Group, names network: Network) throws {
    try write(to: group, names: network.specifications) { index in
      guard let state = moments[index] else { return nil }
      return Moments(
        step: state.step, first: state.first.map { network.stateDictOrder($0, of: index) },
        second: network.stateDictOrder(state.second, of: index))
    }
  }

  /// Writes options and moments; `moments` gives those of one parameter in PyTorch's order of elements, asked for once
  /// each, in order.
  package func write(
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
