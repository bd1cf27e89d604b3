import Autograd
import Compute
import Testing

/// Every gradient against central differences along random directions.
@Suite("Gradients agree with central differences")
struct GradientTests {
  typealias Operation = @Sendable ([Variable]) -> Variable

  static let filter = ResamplingFilter([1, 3, 3, 1])

  static let cases: [(name: String, inputs: [[Int]], operation: Operation)] = [
    ("3x3 convolution", [[2, 5, 7, 3], [3, 3, 3, 6], [6]], { convolution($0[0], weight: $0[1], bias: $0[2]) }),
    (
      "convolution with residual and scale", [[2, 4, 4, 8], [3, 3, 8, 4], [4], [2, 4, 4, 4]],
      { convolution($0[0], weight: $0[1], bias: $0[2], residual: $0[3], scale: 0.7) }
    ),
    ("1x1 convolution", [[3, 3, 5, 10], [1, 1, 10, 7], [7]], { convolution($0[0], weight: $0[1], bias: $0[2]) }),
    (
      "convolution with wide padding", [[1, 4, 4, 3], [3, 3, 3, 5], [5]],
      { convolution($0[0], weight: $0[1], bias: $0[2], padding: 2) }
    ),
    (
      "many rows, many partial sums", [[5, 33, 31, 2], [3, 3, 2, 3], [3]],
      { convolution($0[0], weight: $0[1], bias: $0[2]) }
    ),
    ("linear", [[5, 9], [9, 4], [4]], { linear($0[0], weight: $0[1], bias: $0[2]) }),
    (
      "group norm", [[2, 3, 5, 12], [12], [12]],
      { groupNorm($0[0], weight: $0[1], bias: $0[2], groups: 3, epsilon: 1e-6, silu: false) }
    ),
    (
      "group norm with shift and SiLU", [[2, 7, 6, 16], [2, 16], [16], [16]],
      { groupNorm($0[0], shift: $0[1], weight: $0[2], bias: $0[3], groups: 4, epsilon: 1e-5, silu: true) }
    ),
    (
      "group norm with modulation and SiLU", [[3, 5, 3, 12], [12], [12], [3, 24]],
      {
        groupNorm(
          $0[0], weight: $0[1], bias: $0[2], modulation: $0[3], groups: 3, epsilon: 1e-5, silu: true)
      }
    ),
    ("attention, one head", [[2, 3, 4, 24]], { attention($0[0], heads: 1) }),
    ("attention, two heads", [[2, 4, 4, 48]], { attention($0[0], heads: 2) }),
    ("downsampling", [[2, 6, 8, 5]], { downsample($0[0], filter) }),
    ("downsampling without padding", [[2, 7, 9, 5]], { downsample($0[0], filter, padding: 0) }),
    ("upsampling", [[2, 3, 5, 9]], { upsample($0[0], filter) }),
    ("upsampling without cut borders", [[2, 3, 5, 9]], { upsample($0[0], filter, padding: 0) }),
    ("nearest upsampling", [[2, 3, 5, 9]], { upsample($0[0], ResamplingFilter([1, 1])) }),
    ("SiLU", [[3, 11]], { silu($0[0]) }),
    ("sum", [[3, 11], [3, 11]], { addScaled($0[0], $0[1], scale: 0.3) }),
    ("x used twice", [[3, 11]], { addScaled($0[0], silu($0[0]), scale: 0.3) }),
    ("channels joined", [[2, 3, 4, 5], [2, 3, 4, 9]], { concatenateChannels($0[0], $0[1]) }),
    ("first channels", [[2, 3, 4, 5]], { firstChannels($0[0], 3) }),
    ("rows combined", [[2, 9], [2, 9]], { combinedRows($0[0], [0.5, -2], $0[1], [3, 0.1]) }),
    ("rows scaled", [[3, 7]], { scaledRows($0[0], by: [1, -2, 0.5]) }),
    ("dropout", [[4, 50]], { dropout($0[0], probability: 0.4, key: 5, firstImage: 3) }),
  ]

  @Test(arguments: 0..<cases.count)
  func centralDifferences(index: Int) {
    let (name, shapes, operation) = Self.cases[index]
    let inputs = shapes.enumerated().map { randomTensor($1, UInt64(100 * index + $0), scale: 0.8) }
    let tape = Tape()
    let variables = inputs.map { tape.variable($0) }
    let output = operation(variables)
    let cotangent = randomTensor(output.shape, UInt64(100 * index + 50))
    tape.backward(from: output, gradient: cotangent)

    for (position, input) in inputs.enumerated() {
      guard let gradient = variables[position].gradient else {
        Issue.record("\(name): no gradient for input \(position)")
        continue
      }
      let direction = randomTensor(input.shape, UInt64(100 * index + 60 + position))
      let step: Float = 4e-3
      func objective(_ sign: Float) -> Double {
        let moved = inputs.enumerated().map { $0 == position ? addScaled($1, scaled(direction, by: sign * step)) : $1 }
        return dot(operation(moved.map { Variable($0) }).value, cotangent)
      }
      let measured = (objective(1) - objective(-1)) / (2 * Double(step))
      let expected = dot(gradient, direction)
      let size = (dot(gradient, gradient) * dot(direction, direction)).squareRoot() / Double(input.count).squareRoot()
      #expect(
        abs(measured - expected) < 5e-3 * max(size, 1),
        "\(name), input \(position): \(measured) measured, \(expected) computed")
    }
  }

  @Test("Constants get no gradient, and a network of constants records nothing")
  func constants() {
    let tape = Tape()
    let x = tape.variable(randomTensor([2, 4], 1))
    let weight = Variable(randomTensor([4, 3], 2))
    let y = linear(x, weight: weight)
    #expect(y.isRecorded)
    #expect(!linear(Variable(x.value), weight: weight).isRecorded)
    tape.backward(from: y, gradient: randomTensor([2, 3], 3))
    #expect(x.gradient != nil)
    #expect(weight.gradient == nil)
  }
}
