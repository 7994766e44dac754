module trb

go 1.19
