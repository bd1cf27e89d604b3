import Autograd
import Compute
import TestSupport
import Testing
import Training

@Suite("Objectives add up")
struct ObjectiveTests {
  /// Half the sum of squares, scaled.
  struct Squares: Objective {
    let scale: Float
    let counted: Int
    func callAsFunction(_ pass: Variable) -> ObjectiveValue {
      let sum = pass.value.values.reduce(0.0) { $0 + Double($1 * $1) / 2 }
      return ObjectiveValue(
        value: Double(scale) * sum, countedImages: counted, starts: [(pass, scaled(pass.value, by: scale))])
    }
  }

  @Test("Values and gradients of a sum are those of its terms, over one forward pass")
  func sum() {
    let tape = Tape()
    let x = tape.variable(Tensor([1, -2, 3], shape: [3]))
    let sum = ObjectiveSum(Squares(scale: 2, counted: 4), Squares(scale: 0.5, counted: 3))(addScaled(x, x))
    #expect(sum.value == 2.5 * (4 + 16 + 36) / 2)
    #expect(sum.countedImages == 3)
    tape.backward(from: sum.starts)
    // d/dx of 2.5 (2x)^2 / 2.
    #expect(x.gradient?.values == [10, -20, 30])
  }
}
