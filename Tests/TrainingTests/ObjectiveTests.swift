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

  @Test(
    "A weighted objective has its value and gradients times the weight; with 0 none start, and it is still measured")
  func weighted() {
    struct Measured: Objective {
      let inner: Squares
      func callAsFunction(_ pass: Variable) -> ObjectiveValue {
        var value = inner(pass)
        value.figures = ["squares": value.value]
        return value
      }
    }
    func run(_ weight: Float, _ x: Tensor) -> (value: ObjectiveValue, gradient: [Float]?) {
      let tape = Tape()
      let x = tape.variable(x)
      let value = WeightedObjective(weight, Measured(inner: Squares(scale: 2, counted: 1)))(addScaled(x, x))
      tape.backward(from: value.starts)
      return (value, x.gradient?.values)
    }
    let x = Tensor([1, -2, 3], shape: [3])
    let (one, half, none) = (run(1, x), run(0.5, x), run(0, x))
    #expect(half.value.value == one.value.value / 2 && half.gradient == one.gradient?.map { $0 / 2 })
    #expect(none.value.value == 0 && none.gradient == nil)
    for run in [one, half, none] { #expect(run.value.figures == ["squares": 56]) }
    // What is no number does not reach a sum that it has no weight in.
    #expect(run(0, Tensor([.nan], shape: [1])).value.value == 0)
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
