package trb

// What trb.h declares. Written by examples/declarations, not by hand.

// #include "shims.h"
import "C"

import "unsafe"

// RowStatus: TRB_ROW_* in trb.h.
type RowStatus int32

const (
	RowBlended     RowStatus = 0
	RowTeacher     RowStatus = 1
	RowStudent     RowStatus = 2
	RowUnreachable RowStatus = 3
	RowGiven       RowStatus = 4
	RowOK          RowStatus = 5
	RowSkipped     RowStatus = 6
	RowEmpty       RowStatus = -1
	RowNotANumber  RowStatus = -2
	RowInfinite    RowStatus = -3
	RowImpossible  RowStatus = -4
	RowExcess      RowStatus = -5
)

// ISA: TRB_ISA_* in trb.h.
type ISA int32

const (
	ISAAuto   ISA = 0
	ISAScalar ISA = 1
	ISAAVX2   ISA = 2
	ISAAVX512 ISA = 3
	ISANeon   ISA = 4
)

// Dtype: element types in trb.h.
type Dtype int32

const (
	DtypeF32  Dtype = 0
	DtypeF16  Dtype = 1
	DtypeBF16 Dtype = 2
)

// ScheduleKind: TRB_SCHEDULE_* in trb.h.
type ScheduleKind int32

const (
	ScheduleLinear    ScheduleKind = 0
	ScheduleConstant  ScheduleKind = 1
	ScheduleCosine    ScheduleKind = 2
	SchedulePiecewise ScheduleKind = 3
)

// Method: TRB_METHOD_* in trb.h.
type Method int32

const (
	MethodNewton    Method = 0
	MethodBisection Method = 1
)

// VerdictKind: TRB_VERDICT_* in trb.h.
type VerdictKind int32

const (
	VerdictDrawn     VerdictKind = 0
	VerdictAccepted  VerdictKind = 1
	VerdictCorrected VerdictKind = 2
	VerdictDropped   VerdictKind = 3
)

// Form: TRB_FORM_* in trb.h.
type Form int32

const (
	FormFull         Form = 0
	FormTruncated    Form = 1
	FormRenormalized Form = 2
	FormTailBucket   Form = 3
	FormGeneralized  Form = 4
)

// Support: TRB_SUPPORT_* in trb.h.
type Support int32

const (
	SupportAll         Support = 0
	SupportStudentTopK Support = 1
	SupportTeacherTopK Support = 2
	SupportIDs         Support = 3
)

// DivergenceKind: TRB_DIVERGENCE_* in trb.h.
type DivergenceKind int32

const (
	DivergenceForwardKL DivergenceKind = 0
	DivergenceJSD       DivergenceKind = 1
)

// Estimator: TRB_ESTIMATOR_* in trb.h.
type Estimator int32

const (
	EstimatorAdvantage Estimator = 0
	EstimatorK1        Estimator = 1
	EstimatorK2        Estimator = 2
	EstimatorK3        Estimator = 3
	EstimatorNLL       Estimator = 4
)

// Clipped: TRB_CLIPPED_* in trb.h.
type Clipped int32

const (
	ClippedRatio     Clipped = 1
	ClippedAdvantage Clipped = 2
)

// Behavior: TRB_BEHAVIOR_* in trb.h.
type Behavior int32

const (
	BehaviorBudget  Behavior = 0
	BehaviorBeta    Behavior = 1
	BehaviorStudent Behavior = 2
	BehaviorTeacher Behavior = 3
	BehaviorSKD     Behavior = 4
)

// Stop: TRB_STOP_* in trb.h.
type Stop int32

const (
	StopNone    Stop = 0
	StopToken   Stop = 1
	StopLength  Stop = 2
	StopStudent Stop = 3
	StopTeacher Stop = 4
	StopGiven   Stop = 5
)

// Objective: TRB_OBJECTIVE_* in trb.h.
type Objective int32

const (
	ObjectiveReverseKL  Objective = 0
	ObjectiveDivergence Objective = 1
	ObjectiveToken      Objective = 2
)

// Norm: TRB_NORM_* in trb.h.
type Norm int32

const (
	NormTokens    Norm = 0
	NormSequences Norm = 1
	NormNone      Norm = 2
)

// Blend is trb_blend in trb.h.
type Blend struct {
	Beta       float64
	Multiplier float64
	KLStudent  float64
	KLTeacher  float64
	ReverseKL  float64
	LogNorm    float64
	LSEStudent float64
	LSETeacher float64
	Status     RowStatus
	Passes     int32
	Support    int64
	Mass       [32]float32
}

// Draw is trb_draw in trb.h.
type Draw struct {
	Token       int64
	Kept        int64
	LogSampled  float64
	LogBehavior float64
	LogStudent  float64
	LogTeacher  float64
	Status      RowStatus
	_           int32
}

// Verdict is trb_verdict in trb.h.
type Verdict struct {
	Draw          Draw
	Acceptance    float64
	TV            float64
	ArgmaxTeacher int64
	Verdict       VerdictKind
	_             int32
}

// LossRow is trb_loss_row in trb.h.
type LossRow struct {
	EntropyStudent float64
	EntropyTeacher float64
	MassStudent    float64
	MassTeacher    float64
	Support        int64
	Overlap        int64
	ArgmaxStudent  int64
	ArgmaxTeacher  int64
	Status         RowStatus
	_              int32
}

// Term is trb_term in trb.h.
type Term struct {
	Value       float64
	Coefficient float64
	LogStudent  float64
	LogTeacher  float64
	Ratio       float64
	Clipped     Clipped
	Status      RowStatus
}

// SparseBlend is trb_sparse_blend in trb.h.
type SparseBlend struct {
	Blend          Blend
	LogRestStudent float64
	LogRestTeacher float64
	MaxStudent     float64
	Log2Norm       float64
	Log2Z          float64
	Log2Excess     float64
}

// Totals is trb_totals in trb.h.
type Totals struct {
	size           uint64
	Sequences      int64
	Tokens         int64
	StoppedToken   int64
	StoppedLength  int64
	StoppedRow     int64
	Unfinished     int64
	Shortest       int64
	Longest        int64
	Infinite       int64
	MeanLength     float64
	SequenceKL     float64
	SequenceBound  float64
	Saturated      float64
	Beta           float64
	LogBehavior    float64
	LogStudent     float64
	LogTeacher     float64
	KLStudent      float64
	KLTeacher      float64
	ReverseKL      float64
	EntropyStudent float64
	EntropyTeacher float64
	TV             float64
	Proposed       int64
	Accepted       int64
	Corrected      int64
}

// TrainReport is trb_train_report in trb.h.
type TrainReport struct {
	size           uint64
	Tokens         int64
	Bad            int64
	Clipped        int64
	MicroBatches   int64
	TeacherRows    int64
	Objective      float64
	Loss           float64
	EntropyStudent float64
	EntropyTeacher float64
	MassStudent    float64
	MassTeacher    float64
	Agreement      float64
	Routed         int64
	RoutedLoss     float64
}

// They lie in memory as the library's do.
var (
	_ [unsafe.Sizeof(Blend{})]byte       = [C.sizeof_trb_blend]byte{}
	_ [unsafe.Sizeof(Draw{})]byte        = [C.sizeof_trb_draw]byte{}
	_ [unsafe.Sizeof(Verdict{})]byte     = [C.sizeof_trb_verdict]byte{}
	_ [unsafe.Sizeof(LossRow{})]byte     = [C.sizeof_trb_loss_row]byte{}
	_ [unsafe.Sizeof(Term{})]byte        = [C.sizeof_trb_term]byte{}
	_ [unsafe.Sizeof(SparseBlend{})]byte = [C.sizeof_trb_sparse_blend]byte{}
	_ [unsafe.Sizeof(Totals{})]byte      = [C.sizeof_trb_totals]byte{}
	_ [unsafe.Sizeof(TrainReport{})]byte = [C.sizeof_trb_train_report]byte{}
)
