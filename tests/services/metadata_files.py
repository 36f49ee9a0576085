"""Metadata as EPU and SerialEM write them, with values of the tests' own."""

from __future__ import annotations

from collections.abc import Mapping

SHARED = "http://schemas.datacontract.org/2004/07/Fei.SharedObjects"
ARRAYS = "http://schemas.microsoft.com/2003/10/Serialization/Arrays"
DRAWING = "http://schemas.datacontract.org/2004/07/System.Drawing"
TYPES = "http://schemas.datacontract.org/2004/07/Fei.Types"
FRACTIONATION = "http://schemas.datacontract.org/2004/07/Fei.Applications.Common.Omp.Interface"


def epu_xml(
    *,
    pixel_size_angstrom: float = 1.1,
    size: tuple[int, int] = (512, 512),
    dose: float = 8.0,
    frames: int = 8,
    voltage_kv: float = 200.0,
    defocus_um: float = 1.5,
    beam_shift: tuple[float, float] = (0.0, 0.0),
    stage_um: tuple[float, float, float] = (0.0, 0.0, 0.0),
    recorded_at: str = "2025-01-08T15:49:21.1049704+00:00",
    custom: Mapping[str, object] | None = None,
    fractions: str = "",
) -> bytes:
    """EPU's `MicroscopeImage`: `size` is width and height of the image of this pixel size, underfocus positive."""
    told = {"Dose": dose * 1e20, "PhasePlateUsed": "false", "AppliedDefocus": -defocus_um * 1e-6}
    x, y, z = (value * 1e-6 for value in stage_um)
    fractions = fractions or f"<b:NumberOffractions>{frames}</b:NumberOffractions>"
    return f"""<MicroscopeImage xmlns="{SHARED}" xmlns:i="http://www.w3.org/2001/XMLSchema-instance">
<CustomData xmlns:a="{ARRAYS}">{_pairs(told | dict(custom or {}))}</CustomData>
<SpatialScale><pixelSize><x><numericValue>{pixel_size_angstrom * 1e-10!r}</numericValue></x></pixelSize></SpatialScale>
<microscopeData><acquisition><acquisitionDateTime>{recorded_at}</acquisitionDateTime><camera>
<CameraSpecificInput xmlns:a="{ARRAYS}"><a:KeyValueOfstringanyType><a:Key>FractionationSettings</a:Key>
<a:Value xmlns:b="{FRACTIONATION}">{fractions}</a:Value></a:KeyValueOfstringanyType></CameraSpecificInput>
<ExposureTime>2.5</ExposureTime><Name>EF-CCD</Name>
<ReadoutArea xmlns:a="{DRAWING}"><a:height>{size[1]}</a:height><a:width>{size[0]}</a:width></ReadoutArea>
</camera></acquisition><gun><AccelerationVoltage>{voltage_kv * 1e3}</AccelerationVoltage></gun>
<optics><BeamShift xmlns:a="{TYPES}"><a:_x>{beam_shift[0]!r}</a:_x><a:_y>{beam_shift[1]!r}</a:_y></BeamShift>
<TemMagnification><NominalMagnification>105000</NominalMagnification></TemMagnification></optics>
<stage><Position><A>0</A><X>{x!r}</X><Y>{y!r}</Y><Z>{z!r}</Z></Position></stage>
</microscopeData></MicroscopeImage>
""".encode()


def _pairs(values: Mapping[str, object]) -> str:
    pair = "<a:KeyValueOfstringanyType><a:Key>{}</a:Key><a:Value>{}</a:Value></a:KeyValueOfstringanyType>"
    return "".join(pair.format(key, value) for key, value in values.items())


def mdoc(sections: int = 1, **changes: object) -> bytes:
    """SerialEM's file of a K3's super-resolution movie; None in `changes` leaves a key out."""
    told: dict[str, object] = {
        "TiltAngle": 0.02,
        "StagePosition": "-114.5 -37.25",
        "StageZ": 83.5,
        "Magnification": 105000,
        "ExposureDose": 30,
        "PixelSpacing": 0.5,
        "Defocus": -0.3,
        "ImageShift": "-0.64 -0.23",
        "ExposureTime": 2.5,
        "Binning": 0.5,
        "TargetDefocus": -1.8,
        "SubFramePath": r"X:\data\grid_0.tif",
        "NumSubFrames": 40,
        "FrameDosesAndNumber": "0 40",
        "DateTime": "11-Aug-19  14:13:22",
        "GainReference": "CountRef_grid.mrc",
    }
    told |= changes
    lines = ["T = SerialEM: Acquired on Krios D3593    11-Aug-19  14:13:22", "Voltage = 300"]
    for number in range(sections):
        mine = told | ({"SubFramePath": rf"X:\data\grid_{number}.tif"} if sections > 1 else {})
        lines += [
            "",
            f"[FrameSet = {number}]",
            *(f"{key} = {value}" for key, value in mine.items() if value is not None),
        ]
    return ("\n".join(lines) + "\n").encode()
