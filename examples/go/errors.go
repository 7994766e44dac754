package trb

// #include "shims.h"
import "C"

import (
	"errors"
	"fmt"
)

// Status is the library's number for what went wrong.
type Status int32

const (
	// InvalidArgument: an argument breaks its contract; nothing was written.
	InvalidArgument Status = C.TRB_EINVAL
	// OutOfMemory: memory or a thread could not be had; nothing was written.
	OutOfMemory Status = C.TRB_ENOMEM
	// BadRows: some rows hold no result, as their status says; all others were written.
	BadRows Status = C.TRB_EROWS
	// Stopped: a callback stopped the call and left no error.
	Stopped Status = C.TRB_ECALLBACK
)

func (s Status) Error() string {
	return C.GoString(C.trb_strerror(C.trb_status(s)))
}

// String says in the library's words what became of a row.
func (s RowStatus) String() string {
	return C.GoString(C.trb_row_strerror(C.int32_t(s)))
}

// Error is a call that failed, in the library's own words.
type Error struct {
	Status Status
	Text   string
}

func (e *Error) Error() string {
	return e.Text
}

// Unwrap lets errors.Is(err, trb.BadRows) and the like hold.
func (e *Error) Unwrap() error {
	return e.Status
}

var (
	// ErrBusy says that a context or rollouts serve another call.
	ErrBusy = errors.New("trb: serves another call")
	// ErrClosed says that a context or rollouts were closed.
	ErrClosed = errors.New("trb: closed")
)

func invalid(format string, arguments ...any) error {
	return &Error{InvalidArgument, fmt.Sprintf(format, arguments...)}
}
